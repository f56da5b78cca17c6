"""What changed between two texts, marked as an editor would: paragraph by paragraph, then inside the edited ones.

Chinese has no spaces between words, so that characters are compared; a number, a Latin word or an emoji is one.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple


class Op(StrEnum):
    """What became of a part of a text."""

    EQUAL = "equal"
    DELETE = "delete"
    INSERT = "insert"


class Part(NamedTuple):
    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A paragraph and what became of it. `old` is None when it was inserted, `new` when it was deleted."""

    old: str | None
    new: str | None
    parts: tuple[Part, ...]

    @property
    def unchanged(self) -> bool:
        return self.old == self.new


class _Hunk(NamedTuple):
    """A stretch of both texts; `equal` when it is the same in both."""

    equal: bool
    old: Sequence[str]
    new: Sequence[str]


# How many comparisons may be made to align the paragraphs, to pair those that were edited, and inside these: each about
# a second or two. What is then still open is told as replaced.
_STEPS = 4_000_000
# Two paragraphs are one that was edited when they share this much of their pairs of characters.
_ALIKE = 0.3
# A match of up to so many characters, between longer changes, is a coincidence.
_COINCIDENCE = 3

_MARKS = "[\u0300-\u036f\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*"
_TOKEN = re.compile(
    rf"[0-9]+(?:[.,][0-9]+)*|[A-Za-z]+|[\U0001f1e6-\U0001f1ff]{{2}}|.{_MARKS}(?:\u200d.{_MARKS})*", re.DOTALL
)


def compare(old: str, new: str) -> list[Row]:
    """The paragraphs of both texts in their order, one a line of text. Its cost is bounded whatever the texts are."""
    pairs = list(_paragraph_pairs(old.split("\n"), new.split("\n")))
    edited = sum(1 for before, after in pairs if before != after and None not in (before, after))
    steps = _STEPS // max(edited, 1)
    return [Row(before, after, tuple(_row_parts(before, after, steps))) for before, after in pairs]


def parts(rows: Iterable[Row]) -> list[Part]:
    """All rows as one sequence, line ends included. What is not inserted joins to the old text, and so for the new.

    >>> [(str(part.op), part.text) for part in parts(compare("降准0.25个百分点", "降准0.5个百分点"))]
    [('equal', '降准'), ('delete', '0.25'), ('insert', '0.5'), ('equal', '个百分点')]
    """
    return list(_in_order(_with_line_ends(rows)))


# paragraphs


def _paragraph_pairs(old: list[str], new: list[str]) -> Iterator[tuple[str | None, str | None]]:
    hunks = list(_hunks(old, new, _STEPS))
    for equal, before, after in hunks:
        yield from zip(before, after, strict=True) if equal else _paired(before, after, _STEPS // len(hunks))


def _paired(old: Sequence[str], new: Sequence[str], steps: int) -> Iterator[tuple[str | None, str | None]]:
    """Each paragraph of a changed stretch with the one that it became; None for one that went or came."""
    old_at = new_at = 0
    for i, j in [*_best_path(len(old), len(new), _likenesses(old, new, steps)), (len(old), len(new))]:
        yield from ((text, None) for text in old[old_at:i])
        yield from ((None, text) for text in new[new_at:j])
        yield from zip(old[i : i + 1], new[j : j + 1], strict=True)
        old_at, new_at = i + 1, j + 1


def _likenesses(old: Sequence[str], new: Sequence[str], steps: int) -> dict[tuple[int, int], float]:
    """How alike paragraphs are, by places: all with all, or if that costs too much each with the one in its place."""
    all_with_all = len(new) * sum(map(len, old)) + len(old) * sum(map(len, new)) + 10 * len(old) * len(new)
    places: Iterable[tuple[int, int]] = itertools.product(range(len(old)), range(len(new)))
    if all_with_all > steps:
        places = ((place, place) for place in range(min(len(old), len(new))))
    old_pairs, new_pairs = [_two_by_two(text) for text in old], [_two_by_two(text) for text in new]
    return {(i, j): _likeness(old_pairs[i], new_pairs[j]) for i, j in places}


def _best_path(height: int, width: int, alike: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The pairs that are alike, in the order of both texts, that are most alike together."""
    if len(alike) < height * width:
        return [place for place, likeness in alike.items() if likeness >= _ALIKE]
    best = [[0.0] * (width + 1) for _ in range(height + 1)]
    for i, j in itertools.product(reversed(range(height)), reversed(range(width))):
        paired = best[i + 1][j + 1] + alike[i, j] if alike[i, j] >= _ALIKE else 0.0
        best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    return list(_walk(best, height, width))


def _walk(best: list[list[float]], height: int, width: int) -> Iterator[tuple[int, int]]:
    i = j = 0
    while i < height and j < width:
        if best[i][j] == best[i + 1][j]:
            i += 1
        elif best[i][j] == best[i][j + 1]:
            j += 1
        else:
            yield i, j
            i, j = i + 1, j + 1


def _two_by_two(text: str) -> Counter[str]:
    return Counter(map("".join, itertools.pairwise(f"\n{text}\n")))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    """From 0 to 1: how many of their pairs of characters two paragraphs share."""
    return 2 * (one & other).total() / (one.total() + other.total())


# inside a paragraph


def _row_parts(old: str | None, new: str | None, steps: int) -> Iterator[Part]:
    if old is None or new is None or old == new:
        op = Op.INSERT if old is None else Op.DELETE if new is None else Op.EQUAL
        yield Part(op, old if old is not None else new or "")
        return
    hunks = _hunks(_TOKEN.findall(old), _TOKEN.findall(new), steps)
    for equal, before, after in _without_coincidences(hunks):
        if equal:
            yield Part(Op.EQUAL, "".join(before))
        else:
            yield from _in_order([Part(Op.DELETE, "".join(before)), Part(Op.INSERT, "".join(after))])


def _without_coincidences(hunks: Iterable[_Hunk]) -> list[_Hunk]:
    """A 的 that happens to stand in both of two rewritten phrases is part of what was rewritten."""
    kept: list[_Hunk] = []
    for hunk in hunks:
        kept.append(hunk)
        while len(kept) > 2 and _is_coincidence(*kept[-3:]):
            kept[-3:] = [_joined(kept[-3:])]
    return kept


def _joined(hunks: Sequence[_Hunk]) -> _Hunk:
    old = "".join(text for hunk in hunks for text in hunk.old)
    new = "".join(text for hunk in hunks for text in hunk.new)
    return _Hunk(False, [old], [new])


def _is_coincidence(before: _Hunk, between: _Hunk, after: _Hunk) -> bool:
    if before.equal or after.equal or not between.equal:
        return False
    size, around = _size(between), min(_size(before), _size(after))
    # 固好 -> 稳固 is one word for another, not one character before 固 and one less after it.
    one_word = size == around == 1 and (not (before.old or after.new) or not (before.new or after.old))
    return one_word or (size <= _COINCIDENCE and 2 * size <= around)


def _size(hunk: _Hunk) -> int:
    return max(sum(map(len, hunk.old)), sum(map(len, hunk.new)))


# what both have


def _hunks(old: Sequence[str], new: Sequence[str], steps: int) -> Iterator[_Hunk]:
    """Two sequences as stretches that are the same in both, and what differs between them."""
    old_at = new_at = 0
    for i, j, size in [*_matches(old, new, steps), (len(old), len(new), 0)]:
        if (i, j) != (old_at, new_at):
            yield _Hunk(False, old[old_at:i], new[new_at:j])
        old_at, new_at = i + size, j + size
        if size:
            yield _Hunk(True, old[i:old_at], new[j:new_at])


def _matches(old: Sequence[str], new: Sequence[str], steps: int) -> list[tuple[int, int, int]]:
    """Where both say the same: place in the old, place in the new, length; in order.

    Start and end first, then the longest match between them, then the longest on each side of it: as people read.
    """
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    found = [(0, 0, start), (len(old) - end, len(new) - end, end)]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    times = Counter(new)
    open_ranges = [(start, len(old) - end, start, len(new) - end)]
    for old_from, old_to, new_from, new_to in open_ranges:  # it grows on the way
        if old_from == old_to or new_from == new_to:
            continue
        # What the search costs: for each item, the places in all of the new sequence where it stands.
        steps -= sum(1 + times[item] for item in old[old_from:old_to])
        if steps < 0:
            break
        i, j, size = matcher.find_longest_match(old_from, old_to, new_from, new_to)
        if size:
            found.append((i, j, size))
            open_ranges += [(old_from, i, new_from, j), (i + size, old_to, j + size, new_to)]
    return sorted(match for match in found if match[2])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items two sequences begin with in common."""
    same = itertools.takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False))
    return sum(1 for _ in same)


# parts


def _with_line_ends(rows: Iterable[Row]) -> Iterator[Part]:
    """A line end stands before each paragraph but the first, which need not be the same one in both texts."""
    old_begun = new_begun = False
    for row in rows:
        in_old, in_new = row.old is not None, row.new is not None
        if in_old and old_begun and in_new and new_begun:
            yield Part(Op.EQUAL, "\n")
        elif in_old and old_begun:
            yield Part(Op.DELETE, "\n")
        elif in_new and new_begun:
            yield Part(Op.INSERT, "\n")
        yield from row.parts
        old_begun, new_begun = old_begun or in_old, new_begun or in_new


def _in_order(loose: Iterable[Part]) -> Iterator[Part]:
    """Neighbours of one kind as one part, what was deleted before what was inserted, and none that is empty."""
    told = (part for part in loose if part.text)
    for equal, run in itertools.groupby(told, key=lambda part: part.op is Op.EQUAL):
        texts = list(run)
        for op in (Op.EQUAL,) if equal else (Op.DELETE, Op.INSERT):
            if text := "".join(part.text for part in texts if part.op is op):
                yield Part(op, text)
