"""Reprint clusters (stories): near-duplicate articles, kept in step with the articles.

Two articles are linked when their texts are equal, or similar and in different media, when they say the same
(`comparison`), and when they are neighbours: published within three days, with fewer than _MAX_KEY_NEIGHBOURS others
between them among those that share an LSH key.
A cluster is a set of linked articles. Links depend on the articles alone, not on the order in which they came. An
article is compared only with its neighbours, however many are similar.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlite_utils import Database

from crawler.storage.reprints import minhash
from crawler.storage.search.index import IndexFault, unix_seconds
from crawler.storage.table import Table

if TYPE_CHECKING:
    from crawler.storage.reprints.wording import Wording

_ARTICLES_PER_BATCH = 500
_NEIGHBOUR_WINDOW_SECONDS = 3 * 24 * 60 * 60
_MAX_KEY_NEIGHBOURS = 16
# Texts in memory, as they are compared.
_TEXT_CACHE_SIZE = 256
# Of an article that another program has just deleted.
_NO_TIME = "1970-01-01T00:00:00+08:00"

_SELECT_MEMBERS = """
    SELECT id, code, media, published, digest, figures, story, coalesce(sketch, x'') AS sketch
    FROM story_articles LEFT JOIN story_texts USING (digest) WHERE {}
"""
_SELECT_MEMBERS_BY_ID, _SELECT_MEMBER_BY_CODE = (
    _SELECT_MEMBERS.format("id IN (SELECT value FROM json_each(?))"),
    _SELECT_MEMBERS.format("code = ?"),
)
# Of some keys, those that more than one article has.
_SELECT_SHARED_KEYS = """
    SELECT value FROM json_each(?)
    WHERE 1 < (SELECT count(*) FROM (SELECT 1 FROM story_keys WHERE key = value LIMIT 2))
"""
# How many articles have each of some keys, counted to a crowd.
_COUNT_KEYS = """
    SELECT value, (SELECT count(*) FROM (SELECT 1 FROM story_keys WHERE key = value LIMIT :most + 1)) AS times
    FROM json_each(:keys) WHERE times > 0
"""
# Of some keys, those that more articles share around a moment than are neighbours.
_SELECT_CROWDED_KEYS = """
    SELECT value FROM json_each(:keys) WHERE :most < (
        SELECT count(*) FROM (
            SELECT 1 FROM story_keys WHERE key = value AND published BETWEEN :first AND :last LIMIT :most + 1
        )
    )
"""
_SELECT_IDS_SHARING_KEYS = """
    SELECT DISTINCT id FROM story_keys
    WHERE key IN (SELECT value FROM json_each(:keys)) AND published BETWEEN :first AND :last
"""
_SELECT_IDS_BEFORE = """
    SELECT id FROM story_keys WHERE key = :key AND published >= :first AND (published, id) < (:at, :id)
    ORDER BY published DESC, id DESC LIMIT :most
"""
_SELECT_IDS_AFTER = """
    SELECT id FROM story_keys WHERE key = :key AND published <= :last AND (published, id) > (:at, :id)
    ORDER BY published, id LIMIT :most
"""
_COUNT_STORED_KEYS = """
    SELECT count(*) FROM story_keys WHERE key IN (SELECT value FROM json_each(?)) AND published = ? AND id = ?
"""
_CLEAR_TABLES = ("DELETE FROM story_keys", "DELETE FROM story_articles", "DELETE FROM story_texts")
_MOVE_MEMBER = "UPDATE story_articles SET story = :story WHERE id = :part AND story != :story"
_MERGE_CLUSTER = "UPDATE story_articles SET story = :story WHERE story = :part AND story != :story"


@dataclass(frozen=True)
class _ClusterMember:
    """Article as a member of a cluster."""

    id: int
    code: str
    media: str
    published: int
    digest: bytes
    figures: bytes
    cluster_id: int
    sketch: bytes

    @cached_property
    def lsh_keys(self) -> list[int]:
        return minhash.lsh_keys(self.digest, self.sketch)

    def derived_values(self) -> tuple[str, int, bytes, bytes]:
        """Return the values that depend on the article alone."""
        return self.media, self.published, self.digest, self.figures


@dataclass(frozen=True)
class _ArticleText:
    """Texts of an article that are compared."""

    title: str
    body_text: str
    body_html: str
    published_at: str

    @cached_property
    def shingles(self) -> frozenset[str]:
        return frozenset(minhash.split_shingles(minhash.extract_letters(self.body_text)))

    @cached_property
    def wording(self) -> "Wording":
        from crawler.storage.reprints.wording import read_wording  # most crawls compare nothing, and do without it

        return read_wording(self.title, self.body_text, self.body_html, self.published_at)


@dataclass(slots=True)
class _BatchChanges:
    """The clusters that a batch may have split, and the articles that may have got new neighbours."""

    cluster_ids: set[int] = field(default_factory=set)
    member_ids: set[int] = field(default_factory=set)


class ReprintClusters(Table):
    """Clusters of reprints: near-duplicate articles, found by MinHash and kept in the tables `story_*`.

    `compared_pairs` counts the pairs of texts that were compared in full.
    """

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self._cached_text = lru_cache(_TEXT_CACHE_SIZE)(self._read_text)
        self.compared_pairs = 0

    def cluster_pending(self) -> int:
        """Cluster the changed articles and return their number; a kill loses one batch at most."""
        clustered_count = 0
        while codes := self.pending_codes(_ARTICLES_PER_BATCH):
            with self.transaction():
                self._cluster_codes(codes)
            clustered_count += len(codes)
        return clustered_count

    def rebuild(self) -> int:
        """Cluster every article again and return their number; after a kill, the next crawl finishes."""
        with self.transaction():
            for statement in _CLEAR_TABLES:
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO story_pending SELECT code FROM articles")
        return self.cluster_pending()

    def repair(self) -> None:
        """Cluster the pending articles, and all articles if a stored cluster is wrong."""
        if self.find_faults() or (self.cluster_pending() and self.find_faults()):
            self.rebuild()

    def find_pending(self) -> list[IndexFault]:
        """Return the articles that the next crawl clusters when it ends."""
        return [IndexFault(code, "the next crawl looks for its reprints") for code in self.pending_codes()]

    def find_faults(self) -> list[IndexFault]:
        """Return the articles whose stored cluster is wrong, in constant memory.

        While articles are pending, only the values of the other members are checked.
        """
        with self.transaction():
            self._cached_text.cache_clear()
            faults = [*self._find_wrong_members()]
            if self.pending_codes(1):
                return faults
            for (cluster_id,) in self._db.execute("SELECT DISTINCT story FROM story_articles"):
                member_ids = set(self._member_ids(cluster_id))
                if self._find_clusters(member_ids, member_ids) != dict.fromkeys(member_ids, cluster_id):
                    # A row that another program changed cannot be loaded, and is reported on its own.
                    faults += (
                        IndexFault(member.code, "its stored story does not match the texts")
                        for member in self._load_members({min(member_ids)})
                    )
            return faults

    # filing

    def pending_codes(self, limit: int = -1) -> list[str]:
        """Return the codes of articles that changed since they were clustered."""
        return [row["code"] for row in self._fetch_all("SELECT code FROM story_pending LIMIT ?", limit)]

    def _cluster_codes(self, codes: list[str]) -> None:
        self._cached_text.cache_clear()
        changes = _BatchChanges()
        for code in codes:
            self._remove_member(code, changes)
        members = [member for code in codes if (member := self._member_from_article(code))]
        # How many articles have each key of these members, themselves included; counted to a crowd.
        key_counts = Counter(key for member in members for key in set(member.lsh_keys))
        parameters = {"keys": json.dumps([*key_counts]), "most": _MAX_KEY_NEIGHBOURS}
        key_counts.update(dict(self._db.execute(_COUNT_KEYS, parameters).fetchall()))
        for member in members:
            self._add_member(member, key_counts, changes)
        detached = {id_ for cluster_id in changes.cluster_ids for id_ in self._member_ids(cluster_id)}
        for item, story in self._find_clusters(changes.member_ids | detached, detached, key_counts).items():
            statement = _MOVE_MEMBER if item in detached else _MERGE_CLUSTER
            self._db.execute(statement, {"story": story, "part": item})
        self._db.execute(
            "DELETE FROM story_pending WHERE code IN (SELECT value FROM json_each(?))", [json.dumps(codes)]
        )

    def _member_from_article(self, code: str) -> _ClusterMember | None:
        """Return an article as a cluster of its own, and store the sketch of its text."""
        row = self._fetch_one("SELECT media, published_at, body_text FROM articles WHERE code = ?", code)
        if row is None:
            return None
        media, published_at, body_text = row["media"], row["published_at"], row["body_text"]
        letters, id_ = minhash.extract_letters(body_text), minhash.hash_to_int64(code.encode())
        digest, figures = minhash.hash_letters(letters), minhash.pack_figures(body_text)
        sketch = minhash.minhash_sketch(letters)
        self._db.execute("INSERT OR IGNORE INTO story_texts VALUES (?, ?)", [digest, sketch])
        return _ClusterMember(
            id_,
            code,
            media,
            unix_seconds(published_at),
            digest,
            figures,
            cluster_id=id_,
            sketch=sketch,
        )

    def _add_member(self, member: _ClusterMember, key_counts: Mapping[int, int], changes: _BatchChanges) -> None:
        own_keys = member.lsh_keys
        self._db.execute(
            # A row that another program has changed may be in its place.
            "INSERT OR REPLACE INTO story_articles VALUES (?, ?, ?, ?, ?, ?, ?)",
            [member.id, member.code, *member.derived_values(), member.cluster_id],
        )
        for id_pair in self._find_separated_pairs(
            member, [key for key in own_keys if key_counts[key] > _MAX_KEY_NEIGHBOURS]
        ):
            first_cluster, *other_clusters = (neighbour.cluster_id for neighbour in self._load_members(id_pair))
            if other_clusters == [first_cluster]:
                changes.cluster_ids.add(first_cluster)
        self._db.execute(
            "INSERT OR IGNORE INTO story_keys (key, published, id) SELECT value, ?, ? FROM json_each(?)",
            [member.published, member.id, json.dumps(own_keys)],
        )
        changes.cluster_ids.add(member.cluster_id)

    def _remove_member(self, code: str, changes: _BatchChanges) -> None:
        member = self._find_member(code)
        if member is None:
            return
        own_keys = member.lsh_keys
        self._db.conn.executemany(
            "DELETE FROM story_keys WHERE (key, published, id) = (?, ?, ?)",
            [(key, member.published, member.id) for key in own_keys],
        )
        self._db.execute("DELETE FROM story_articles WHERE id = ?", [member.id])
        self._db.execute(
            """
            DELETE FROM story_texts WHERE digest = :digest
                AND NOT EXISTS (SELECT 1 FROM story_articles WHERE digest = :digest)
            """,
            {"digest": member.digest},
        )
        changes.cluster_ids.add(member.cluster_id)
        changes.member_ids.discard(member.id)
        changes.member_ids.update(earlier_id for earlier_id, _ in self._find_separated_pairs(member, own_keys))

    def _find_separated_pairs(self, member: _ClusterMember, keys: list[int]) -> Iterator[tuple[int, int]]:
        """Yield the pairs that are neighbours by a key only without this article between them."""
        for key in self._crowded_keys(member, keys):
            before, after = self._neighbour_ids(member, key)
            for position, earlier_id in enumerate(before):
                if 0 <= (later_position := _MAX_KEY_NEIGHBOURS - 1 - position) < len(after):
                    yield earlier_id, after[later_position]

    # linking

    def _find_clusters(
        self, ids: Collection[int], detached: Collection[int], key_counts: Mapping[int, int] = MappingProxyType({})
    ) -> dict[int, int]:
        """Return the new cluster of each part; a part is a detached article, or a stored cluster.

        `key_counts` is how many articles have each of some keys, counted to a crowd: these keys are not queried.
        """
        groups = _DisjointSets()
        members = sorted(self._load_members(ids), key=lambda member: (member.published, member.id))
        uncounted_keys = {key for article in members for key in article.lsh_keys}.difference(key_counts)
        # Most articles share no key, and have no neighbours to query.
        shared_keys = {key for (key,) in self._db.execute(_SELECT_SHARED_KEYS, [json.dumps([*uncounted_keys])])}
        shared_keys.update(key for key, times in key_counts.items() if times > 1)
        rare_keys = {key for key, times in key_counts.items() if times <= _MAX_KEY_NEIGHBOURS}
        member_by_id, seen_ids = {article.id: article for article in members}, set[int]()
        for article in members:
            seen_ids.add(article.id)
            own_item = article.id if article.id in detached else article.cluster_id
            groups.add(own_item)
            for neighbour in self._find_neighbours(
                article, shared_keys.intersection(article.lsh_keys), rare_keys, member_by_id
            ):
                other_item = neighbour.id if neighbour.id in detached else neighbour.cluster_id
                if (
                    neighbour.id not in seen_ids
                    and groups.find_root(own_item) != groups.find_root(other_item)
                    and self._are_linked(article, neighbour)
                ):
                    groups.union(own_item, other_item)
        return groups.roots()

    def _are_linked(self, first: _ClusterMember, second: _ClusterMember) -> bool:
        if first.digest != second.digest:
            if first.media == second.media:  # a column that comes every day
                return False
            if not (
                minhash.may_be_similar(first.sketch, second.sketch)
                and minhash.figures_agree(first.figures, second.figures)
            ):
                return False
            self.compared_pairs += 1
            if not minhash.are_similar(self._cached_text(first.code).shingles, self._cached_text(second.code).shingles):
                return False
        from crawler.storage.reprints.comparison import say_the_same  # as above

        return say_the_same(self._cached_text(first.code).wording, self._cached_text(second.code).wording)

    def _read_text(self, code: str) -> "_ArticleText":
        row = self._fetch_one("SELECT title, body_text, body_html, published_at FROM articles WHERE code = ?", code)
        return _ArticleText(*(row.values() if row else ("", "", "", _NO_TIME)))

    def _find_neighbours(
        self,
        member: _ClusterMember,
        shared_keys: set[int],
        rare_keys: set[int],
        member_by_id: Mapping[int, _ClusterMember],
    ) -> list[_ClusterMember]:
        """Return the neighbours of an article by its shared keys; `rare_keys` have no crowd.

        Members in `member_by_id` are not loaded again.
        """
        if not shared_keys:
            return []
        crowded_keys = self._crowded_keys(member, shared_keys - rare_keys)
        ids = {id_ for key in crowded_keys for side in self._neighbour_ids(member, key) for id_ in side}
        uncrowded_keys = json.dumps([*shared_keys - crowded_keys])
        ids.update(
            id_
            for (id_,) in self._db.execute(
                _SELECT_IDS_SHARING_KEYS, {"keys": uncrowded_keys, **_window_parameters(member)}
            )
            if isinstance(id_, int)
        )
        ids.discard(member.id)
        ids_to_load = sorted(ids.difference(member_by_id))
        return [
            *(member_by_id[id_] for id_ in ids.intersection(member_by_id)),
            *(self._load_members(ids_to_load) if ids_to_load else ()),
        ]

    def _crowded_keys(self, member: _ClusterMember, keys: Collection[int]) -> set[int]:
        """Return the keys with a crowd around this article: not all of it are neighbours."""
        if not keys:
            return set()
        rows = self._db.execute(_SELECT_CROWDED_KEYS, {"keys": json.dumps([*keys]), **_window_parameters(member)})
        return {key for (key,) in rows}

    def _neighbour_ids(self, member: _ClusterMember, key: int) -> tuple[list[int], list[int]]:
        """Return the ids of the neighbours by a key, before and after, the nearest first."""
        parameters = {"key": key, "at": member.published, "id": member.id, **_window_parameters(member)}
        before, after = (
            self._db.execute(sql, parameters).fetchall() for sql in (_SELECT_IDS_BEFORE, _SELECT_IDS_AFTER)
        )
        return [id_ for (id_,) in before if isinstance(id_, int)], [id_ for (id_,) in after if isinstance(id_, int)]

    def _load_members(self, ids: Collection[int]) -> list[_ClusterMember]:
        rows = self._iter_rows(_SELECT_MEMBERS_BY_ID, json.dumps([*ids]))
        return [_ClusterMember(*row.values()) for row in rows]

    def _find_member(self, code: str) -> _ClusterMember | None:
        row = self._fetch_one(_SELECT_MEMBER_BY_CODE, code)
        return _ClusterMember(*row.values()) if row else None

    def _member_ids(self, cluster_id: int) -> list[int]:
        rows = self._db.execute("SELECT id FROM story_articles WHERE story = ?", [cluster_id])
        return [id_ for (id_,) in rows]

    # checking

    def _find_wrong_members(self) -> Iterator[IndexFault]:
        """Yield articles whose stored values are wrong, and members without an article."""
        for row in self._iter_rows(_SELECT_CLUSTERED_ARTICLES):
            code, media, published_at, body_text = row.values()
            member = self._find_member(code)
            letters = minhash.extract_letters(body_text)
            expected_values = (
                media,
                unix_seconds(published_at),
                minhash.hash_letters(letters),
                minhash.pack_figures(body_text),
            )
            if member is None:
                yield IndexFault(code, "its reprints were not searched for")
                continue
            parameters = [json.dumps(member.lsh_keys), member.published, member.id]
            (stored_count,) = self._db.execute(_COUNT_STORED_KEYS, parameters).fetchone()
            if (
                member.derived_values() != expected_values
                or member.sketch != minhash.minhash_sketch(letters)
                or stored_count != len(set(member.lsh_keys))
            ):
                yield IndexFault(code, "its reprints were searched for with another text, media or time")
        for row in self._iter_rows(_SELECT_ORPHANED_CODES):
            yield IndexFault(row["code"], "a missing article is stored as a reprint")


_SELECT_CLUSTERED_ARTICLES = """
    SELECT code, media, published_at, body_text FROM articles WHERE code NOT IN (SELECT code FROM story_pending)
"""
_SELECT_ORPHANED_CODES = """
    SELECT code FROM story_articles
    WHERE code NOT IN (SELECT code FROM articles) AND code NOT IN (SELECT code FROM story_pending)
"""


class _DisjointSets:
    """Disjoint-set forest (union-find); the least item of a set is its root."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def add(self, item: int) -> None:
        self._parents.setdefault(item, item)

    def find_root(self, item: int) -> int:
        while (parent := self._parents.get(item, item)) != item:
            self._parents[item] = item = self._parents[parent]
        return item

    def union(self, first: int, second: int) -> None:
        smaller, larger = sorted((self.find_root(first), self.find_root(second)))
        self._parents[smaller], self._parents[larger] = smaller, smaller

    def roots(self) -> dict[int, int]:
        return {item: self.find_root(item) for item in list(self._parents)}


def _window_parameters(member: _ClusterMember) -> dict[str, int]:
    return {
        "first": member.published - _NEIGHBOUR_WINDOW_SECONDS,
        "last": member.published + _NEIGHBOUR_WINDOW_SECONDS,
        "most": _MAX_KEY_NEIGHBOURS,
    }
