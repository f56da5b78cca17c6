"""The stories: articles that are reprints of one another, kept in step with the articles.

Two articles are linked when their texts are equal, or alike and in different media, and they are neighbours: published
within three days, with fewer than _NEIGHBOURS others between them among those that share a key of their texts. A story
is what links join. Links follow from the articles alone, so that it does not matter in which order they came; and no
article is compared with more than its neighbours, however many look like it.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

from sqlite_utils import Database

from crawler.storage.connection import errors_told
from crawler.storage.reprints import minhash
from crawler.storage.search.index import Fault, seconds

_BATCH = 500
_WITHIN = 3 * 24 * 60 * 60
_NEIGHBOURS = 16
# Texts in memory, as they are compared.
_TEXTS = 256

_FILED = """
    SELECT id, code, media, published, digest, figures, story, coalesce(sketch, x'')
    FROM story_articles LEFT JOIN story_texts USING (digest) WHERE {}
"""
_OF_IDS, _OF_CODE = _FILED.format("id IN (SELECT value FROM json_each(?))"), _FILED.format("code = ?")
# Of some keys, those that more than one article has.
_SHARED = """
    SELECT value FROM json_each(?)
    WHERE 1 < (SELECT count(*) FROM (SELECT 1 FROM story_keys WHERE key = value LIMIT 2))
"""
# How many articles have each of some keys, counted to a crowd.
_MET = """
    SELECT value, (SELECT count(*) FROM (SELECT 1 FROM story_keys WHERE key = value LIMIT :most + 1)) AS times
    FROM json_each(:keys) WHERE times > 0
"""
# Of some keys, those that more articles share around a moment than are neighbours.
_CROWDED = """
    SELECT value FROM json_each(:keys) WHERE :most < (
        SELECT count(*) FROM (
            SELECT 1 FROM story_keys WHERE key = value AND published BETWEEN :first AND :last LIMIT :most + 1
        )
    )
"""
_SHARING = """
    SELECT DISTINCT id FROM story_keys
    WHERE key IN (SELECT value FROM json_each(:keys)) AND published BETWEEN :first AND :last
"""
_BEFORE = """
    SELECT id FROM story_keys WHERE key = :key AND published >= :first AND (published, id) < (:at, :id)
    ORDER BY published DESC, id DESC LIMIT :most
"""
_AFTER = """
    SELECT id FROM story_keys WHERE key = :key AND published <= :last AND (published, id) > (:at, :id)
    ORDER BY published, id LIMIT :most
"""
_EMPTIED = ("DELETE FROM story_keys", "DELETE FROM story_articles", "DELETE FROM story_texts")
_LOOSE_JOINED = "UPDATE story_articles SET story = :story WHERE id = :part AND story != :story"
_STORY_JOINED = "UPDATE story_articles SET story = :story WHERE story = :part AND story != :story"


@dataclass(frozen=True)
class _Filed:
    """An article as it is filed."""

    id: int
    code: str
    media: str
    published: int
    digest: bytes
    figures: bytes
    story: int
    sketch: bytes

    @cached_property
    def text_keys(self) -> list[int]:
        return minhash.keys(self.digest, self.sketch)

    def told(self) -> tuple[str, int, bytes, bytes]:
        """What follows from the article alone."""
        return self.media, self.published, self.digest, self.figures


@dataclass(slots=True)
class _Changes:
    """What a batch has stirred: stories that may fall apart, and articles that may have got new neighbours."""

    stories: set[int] = field(default_factory=set)
    articles: set[int] = field(default_factory=set)


class Stories:
    """`compared` counts the pairs of texts that were compared in full."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._runs = lru_cache(_TEXTS)(self._read_runs)
        self.compared = 0

    def catch_up(self) -> int:
        """File what has changed since the last time; how many articles that were. A kill loses no more than a batch."""
        done = 0
        with errors_told():
            while codes := self._pending(_BATCH):
                with self._db.atomic():
                    self._file(codes)
                done += len(codes)
        return done

    def rebuild(self) -> int:
        """File every article anew; how many there are. What a kill cuts short, the next crawl ends."""
        with errors_told(), self._db.atomic():
            for statement in _EMPTIED:
                self._db.execute(statement)
            self._db.execute("INSERT OR IGNORE INTO story_pending SELECT code FROM articles")
        return self.catch_up()

    def mend(self) -> None:
        """File what is pending, and everything where what is filed is wrong."""
        if self.faults() or (self.catch_up() and self.faults()):
            self.rebuild()

    def pending(self) -> list[Fault]:
        """The articles that are to be filed, as the next crawl does when it ends."""
        with errors_told():
            return [Fault(code, "the next crawl looks for its reprints") for code in self._pending(-1)]

    def faults(self) -> list[Fault]:
        """Where the stories are not what follows from the articles; in flat memory.

        While something is pending, only whether the rest is filed by its texts.
        """
        with errors_told(), self._db.atomic():
            return [*self._misfiled(), *(() if self._pending(1) else self._wrong_stories())]

    # filing

    def _pending(self, limit: int) -> list[str]:
        return [code for (code,) in self._db.execute("SELECT code FROM story_pending LIMIT ?", [limit]).fetchall()]

    def _file(self, codes: list[str]) -> None:
        changes = _Changes()
        for code in codes:
            self._remove(code, changes)
        articles = [article for code in codes if (article := self._read(code))]
        met = self._met(articles)
        for article in articles:
            self._add(article, met, changes)
        loose = {id_ for story in changes.stories for id_ in self._members(story)}
        for part, story in self._joined(changes.articles | loose, loose, met).items():
            joined = _LOOSE_JOINED if part in loose else _STORY_JOINED
            self._db.execute(joined, {"story": story, "part": part})
        self._db.execute(
            "DELETE FROM story_pending WHERE code IN (SELECT value FROM json_each(?))", [json.dumps(codes)]
        )

    def _read(self, code: str) -> _Filed | None:
        """An article to be filed, as a story of its own; its text's sketch is kept already."""
        row = self._db.execute("SELECT media, published_at, body_text FROM articles WHERE code = ?", [code]).fetchone()
        if row is None:
            return None
        media, published_at, body_text = row
        text, id_ = minhash.letters(body_text), minhash.number(code.encode())
        digest, figures = minhash.digest(text), minhash.figures(body_text)
        return _Filed(
            id_, code, media, seconds(published_at), digest, figures, story=id_, sketch=self._sketch(digest, text)
        )

    def _met(self, articles: Iterable[_Filed]) -> Counter[int]:
        """How many articles have each key of these that are to be filed, they among them; counted to a crowd."""
        met = Counter(key for article in articles for key in set(article.text_keys))
        values = {"keys": json.dumps([*met]), "most": _NEIGHBOURS}
        met.update(dict(self._db.execute(_MET, values).fetchall()))
        return met

    def _add(self, article: _Filed, met: Mapping[int, int], changes: _Changes) -> None:
        own = article.text_keys
        self._db.execute(
            "INSERT INTO story_articles VALUES (?, ?, ?, ?, ?, ?, ?)",
            [article.id, article.code, *article.told(), article.story],
        )
        for pair in self._parted(article, [key for key in own if met[key] > _NEIGHBOURS]):
            one, *others = (each.story for each in self._known(pair))
            if others == [one]:
                changes.stories.add(one)
        self._db.execute(
            "INSERT OR IGNORE INTO story_keys (key, published, id) SELECT value, ?, ? FROM json_each(?)",
            [article.published, article.id, json.dumps(own)],
        )
        changes.stories.add(article.story)

    def _remove(self, code: str, changes: _Changes) -> None:
        article = self._filed(code)
        if article is None:
            return
        own = article.text_keys
        self._db.conn.executemany(
            "DELETE FROM story_keys WHERE (key, published, id) = (?, ?, ?)",
            [(key, article.published, article.id) for key in own],
        )
        self._db.execute("DELETE FROM story_articles WHERE id = ?", [article.id])
        self._db.execute(
            """
            DELETE FROM story_texts WHERE digest = :digest
                AND NOT EXISTS (SELECT 1 FROM story_articles WHERE digest = :digest)
            """,
            {"digest": article.digest},
        )
        changes.stories.add(article.story)
        changes.articles.discard(article.id)
        changes.articles.update(one for one, _ in self._parted(article, own))

    def _parted(self, article: _Filed, keys: list[int]) -> Iterator[tuple[int, int]]:
        """The pairs that are neighbours by one of its keys without this article, and no longer with it."""
        for key in self._crowded(article, keys):
            before, after = self._around(article, key)
            for place, one in enumerate(before):
                if 0 <= (step := _NEIGHBOURS - 1 - place) < len(after):
                    yield one, after[step]

    def _sketch(self, of_digest: bytes, text: str) -> bytes:
        """The sketch of a text, which is kept for all articles that have it."""
        made = minhash.sketch(text)
        self._db.execute("INSERT OR IGNORE INTO story_texts VALUES (?, ?)", [of_digest, made])
        return made

    # linking

    def _joined(
        self, articles: Collection[int], loose: Collection[int], met: Mapping[int, int] = MappingProxyType({})
    ) -> dict[int, int]:
        """The story that each part is of by the links of these articles: a loose article, or a story as it is.

        `met` is how many articles have each of some of their keys, counted to a crowd: those are not asked for again.
        """
        groups = _Groups()
        known = sorted(self._known(articles), key=lambda each: (each.published, each.id))
        shared = self._shared({key for article in known for key in article.text_keys}.difference(met))
        shared.update(key for key, times in met.items() if times > 1)
        quiet = {key for key, times in met.items() if times <= _NEIGHBOURS}
        by_id, seen = {article.id: article for article in known}, set[int]()
        for article in known:
            seen.add(article.id)
            here = article.id if article.id in loose else article.story
            groups.add(here)
            for other in self._neighbours(article, shared.intersection(article.text_keys), quiet, by_id):
                there = other.id if other.id in loose else other.story
                if other.id not in seen and groups.root(here) != groups.root(there) and self._linked(article, other):
                    groups.join(here, there)
        return groups.roots()

    def _linked(self, one: _Filed, other: _Filed) -> bool:
        if one.digest == other.digest:
            return True
        if one.media == other.media:  # a column that comes every day
            return False
        if not (minhash.may_be_alike(one.sketch, other.sketch) and minhash.figures_agree(one.figures, other.figures)):
            return False
        self.compared += 1
        return minhash.alike(self._runs(one.code, one.digest), self._runs(other.code, other.digest))

    def _read_runs(self, code: str, _digest: bytes) -> frozenset[str]:
        row = self._db.execute("SELECT body_text FROM articles WHERE code = ?", [code]).fetchone()
        return frozenset(minhash.runs(minhash.letters(row[0] if row else "")))

    def _shared(self, keys: Iterable[int]) -> set[int]:
        """Of these keys, those that more than one article has: most have none, and no neighbours to be asked for."""
        return {key for (key,) in self._db.execute(_SHARED, [json.dumps([*keys])])}

    def _neighbours(
        self, article: _Filed, shared: set[int], quiet: set[int], known: Mapping[int, _Filed]
    ) -> list[_Filed]:
        """By the keys of an article that others have, but no crowd where they are `quiet`; the `known` as they are."""
        if not shared:
            return []
        crowded = self._crowded(article, shared - quiet)
        ids = {id_ for key in crowded for side in self._around(article, key) for id_ in side}
        few = json.dumps([*shared - crowded])
        ids.update(id_ for (id_,) in self._db.execute(_SHARING, {"keys": few, **_window(article)}))
        ids.discard(article.id)
        unknown = sorted(ids.difference(known))
        return [*(known[id_] for id_ in ids.intersection(known)), *(self._known(unknown) if unknown else ())]

    def _crowded(self, article: _Filed, keys: Collection[int]) -> set[int]:
        """Those of its keys by which not all around it are its neighbours."""
        if not keys:
            return set()
        found = self._db.execute(_CROWDED, {"keys": json.dumps([*keys]), **_window(article)})
        return {key for (key,) in found}

    def _around(self, article: _Filed, key: int) -> tuple[list[int], list[int]]:
        """The neighbours by a key, before and after, the nearest first."""
        values = {"key": key, "at": article.published, "id": article.id, **_window(article)}
        before, after = (self._db.execute(sql, values).fetchall() for sql in (_BEFORE, _AFTER))
        return [id_ for (id_,) in before], [id_ for (id_,) in after]

    def _known(self, ids: Collection[int]) -> list[_Filed]:
        rows = self._db.execute(_OF_IDS, [json.dumps([*ids])])
        return [_Filed(*row) for row in rows]

    def _filed(self, code: str) -> _Filed | None:
        row = self._db.execute(_OF_CODE, [code]).fetchone()
        return _Filed(*row) if row else None

    def _members(self, story: int) -> list[int]:
        found = self._db.execute("SELECT id FROM story_articles WHERE story = ?", [story])
        return [id_ for (id_,) in found]

    # checking

    def _misfiled(self) -> Iterator[Fault]:
        """Articles that are not filed as they are, and what is filed of articles that are gone."""
        for code, media, published_at, body_text in self._db.execute(_SETTLED):
            article = self._filed(code)
            text = minhash.letters(body_text)
            values = (media, seconds(published_at), minhash.digest(text), minhash.figures(body_text))
            if article is None:
                yield Fault(code, "its reprints were not looked for")
            elif article.told() != values or not self._has_keys(article, text):
                yield Fault(code, "its reprints were looked for by another text, media or time")
        for (code,) in self._db.execute(_GONE):
            yield Fault(code, "an article that is gone is held to be a reprint")

    def _has_keys(self, article: _Filed, text: str) -> bool:
        own = article.text_keys
        sql = """
            SELECT count(*) FROM story_keys
            WHERE key IN (SELECT value FROM json_each(?)) AND published = ? AND id = ?
        """
        (found,) = self._db.execute(sql, [json.dumps(own), article.published, article.id]).fetchone()
        return article.sketch == minhash.sketch(text) and found == len(set(own))

    def _wrong_stories(self) -> Iterator[Fault]:
        for (story,) in self._db.execute("SELECT DISTINCT story FROM story_articles"):
            members = set(self._members(story))
            if self._joined(members, members) != dict.fromkeys(members, story):
                yield Fault(self._known({min(members)})[0].code, "its story is not what the texts say")


_SETTLED = """
    SELECT code, media, published_at, body_text FROM articles WHERE code NOT IN (SELECT code FROM story_pending)
"""
_GONE = """
    SELECT code FROM story_articles
    WHERE code NOT IN (SELECT code FROM articles) AND code NOT IN (SELECT code FROM story_pending)
"""


class _Groups:
    """Parts that are joined one by one; a group is called by its least part."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def add(self, part: int) -> None:
        self._above.setdefault(part, part)

    def root(self, part: int) -> int:
        while (above := self._above.get(part, part)) != part:
            self._above[part] = part = self._above[above]
        return part

    def join(self, one: int, other: int) -> None:
        less, more = sorted((self.root(one), self.root(other)))
        self._above[less], self._above[more] = less, less

    def roots(self) -> dict[int, int]:
        return {part: self.root(part) for part in list(self._above)}


def _window(article: _Filed) -> dict[str, int]:
    return {"first": article.published - _WITHIN, "last": article.published + _WITHIN, "most": _NEIGHBOURS}
