"""Text diff: paragraph by paragraph, then inside the edited ones.

Chinese has no spaces between words, so characters are compared; a number, a Latin word or an emoji counts as one.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple


class DiffOp(StrEnum):
    """Change of a part of a text."""

    EQUAL = "equal"
    DELETE = "delete"
    INSERT = "insert"


class DiffPart(NamedTuple):
    """Piece of text, and whether it is equal, inserted or deleted."""

    op: DiffOp
    text: str


@dataclass(frozen=True, slots=True)
class ParagraphDiff:
    """Paragraph and its change. `old` is None when it was inserted, `new` when it was deleted."""

    old: str | None
    new: str | None
    parts: tuple[DiffPart, ...]

    @property
    def is_unchanged(self) -> bool:
        """Return whether both texts have this paragraph."""
        return self.old == self.new


class _Hunk(NamedTuple):
    """Stretch of both texts; `equal` when both are the same."""

    equal: bool
    old: Sequence[str]
    new: Sequence[str]


# Comparisons of items to align the paragraphs, to pair the edited ones, and inside these: each takes one or two seconds
# at most. Text that is not compared by then counts as replaced.
_MAX_COMPARISONS = 4_000_000
# Two paragraphs are one that was edited when they share this much of their bigrams.
_MIN_SIMILARITY = 0.3
# A match of at most this many characters, between longer changes, is a coincidence.
_MAX_COINCIDENCE_CHARS = 3

_COMBINING_MARKS = "[\u0300-\u036f\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]*"
_TOKEN_PATTERN = re.compile(
    rf"[0-9]+(?:[.,][0-9]+)*|[A-Za-z]+|[\U0001f1e6-\U0001f1ff]{{2}}|.{_COMBINING_MARKS}(?:\u200d.{_COMBINING_MARKS})*",
    re.DOTALL,
)


def diff_paragraphs(old: str, new: str) -> list[ParagraphDiff]:
    """Return the paragraphs (lines) of both texts in order; the cost is bounded by _MAX_COMPARISONS."""
    hunks = list(_diff_hunks(old.split("\n"), new.split("\n"), _MAX_COMPARISONS))
    paragraph_pairs: list[tuple[str | None, str | None]] = []
    for equal, old_lines, new_lines in hunks:
        paragraph_pairs += (
            zip(old_lines, new_lines, strict=True)
            if equal
            else _pair_paragraphs(old_lines, new_lines, _MAX_COMPARISONS // len(hunks))
        )
    edited_count = sum(1 for before, after in paragraph_pairs if before != after and None not in (before, after))
    max_comparisons = _MAX_COMPARISONS // max(edited_count, 1)
    return [
        ParagraphDiff(before, after, tuple(_diff_paragraph(before, after, max_comparisons)))
        for before, after in paragraph_pairs
    ]


def merge_parts(rows: Iterable[ParagraphDiff]) -> list[DiffPart]:
    """Return all rows as one sequence, line ends included; without insertions it joins to the old text.

    >>> [(str(part.op), part.text) for part in merge_parts(diff_paragraphs("降准0.25个百分点", "降准0.5个百分点"))]
    [('equal', '降准'), ('delete', '0.25'), ('insert', '0.5'), ('equal', '个百分点')]
    """
    parts: list[DiffPart] = []
    old_begun = new_begun = False
    for row in rows:
        # A line end comes before each paragraph but the first of either text.
        in_old, in_new = row.old is not None, row.new is not None
        if in_old and old_begun and in_new and new_begun:
            parts.append(DiffPart(DiffOp.EQUAL, "\n"))
        elif in_old and old_begun:
            parts.append(DiffPart(DiffOp.DELETE, "\n"))
        elif in_new and new_begun:
            parts.append(DiffPart(DiffOp.INSERT, "\n"))
        parts += row.parts
        old_begun, new_begun = old_begun or in_old, new_begun or in_new
    return list(_merge_neighbours(parts))


# paragraphs


def _pair_paragraphs(
    old: Sequence[str], new: Sequence[str], max_comparisons: int
) -> Iterator[tuple[str | None, str | None]]:
    """Yield old and new version of each paragraph of a changed stretch; None for a missing one."""
    old_index = new_index = 0
    for i, j in [*_best_alignment(len(old), len(new), _similarities(old, new, max_comparisons)), (len(old), len(new))]:
        yield from ((text, None) for text in old[old_index:i])
        yield from ((None, text) for text in new[new_index:j])
        yield from zip(old[i : i + 1], new[j : j + 1], strict=True)
        old_index, new_index = i + 1, j + 1


def _similarities(old: Sequence[str], new: Sequence[str], max_comparisons: int) -> dict[tuple[int, int], float]:
    """Return Dice similarities (0 to 1) of paragraphs by index: of all pairs, or of equal indexes if too many."""
    full_cost = len(new) * sum(map(len, old)) + len(old) * sum(map(len, new)) + 10 * len(old) * len(new)
    index_pairs: Iterable[tuple[int, int]] = itertools.product(range(len(old)), range(len(new)))
    if full_cost > max_comparisons:
        index_pairs = ((index, index) for index in range(min(len(old), len(new))))
    old_bigrams, new_bigrams = [_count_bigrams(text) for text in old], [_count_bigrams(text) for text in new]
    return {
        (i, j): 2 * (old_bigrams[i] & new_bigrams[j]).total() / (old_bigrams[i].total() + new_bigrams[j].total())
        for i, j in index_pairs
    }


def _best_alignment(
    old_length: int, new_length: int, similarities: dict[tuple[int, int], float]
) -> list[tuple[int, int]]:
    """Return the ordered pairs of similar paragraphs with the greatest sum of similarities."""
    if len(similarities) < old_length * new_length:
        return [index_pair for index_pair, similarity in similarities.items() if similarity >= _MIN_SIMILARITY]
    scores = [[0.0] * (new_length + 1) for _ in range(old_length + 1)]
    for i, j in itertools.product(reversed(range(old_length)), reversed(range(new_length))):
        score_if_paired = scores[i + 1][j + 1] + similarities[i, j] if similarities[i, j] >= _MIN_SIMILARITY else 0.0
        scores[i][j] = max(scores[i + 1][j], scores[i][j + 1], score_if_paired)
    alignment: list[tuple[int, int]] = []
    i = j = 0
    while i < old_length and j < new_length:
        if scores[i][j] == scores[i + 1][j]:
            i += 1
        elif scores[i][j] == scores[i][j + 1]:
            j += 1
        else:
            alignment.append((i, j))
            i, j = i + 1, j + 1
    return alignment


def _count_bigrams(text: str) -> Counter[str]:
    return Counter(map("".join, itertools.pairwise(f"\n{text}\n")))


# inside a paragraph


def _diff_paragraph(old: str | None, new: str | None, max_comparisons: int) -> Iterator[DiffPart]:
    if old is None or new is None or old == new:
        op = DiffOp.INSERT if old is None else DiffOp.DELETE if new is None else DiffOp.EQUAL
        yield DiffPart(op, old if old is not None else new or "")
        return
    hunks = _diff_hunks(_TOKEN_PATTERN.findall(old), _TOKEN_PATTERN.findall(new), max_comparisons)
    for equal, before, after in _merge_coincidences(hunks):
        if equal:
            yield DiffPart(DiffOp.EQUAL, "".join(before))
        else:
            yield from _merge_neighbours(
                [DiffPart(DiffOp.DELETE, "".join(before)), DiffPart(DiffOp.INSERT, "".join(after))]
            )


def _merge_coincidences(hunks: Iterable[_Hunk]) -> list[_Hunk]:
    """Merge short matches, such as a 的 in two rewritten phrases, with the changes around them."""
    merged: list[_Hunk] = []
    for hunk in hunks:
        merged.append(hunk)
        while len(merged) > 2:
            before, match, after = merged[-3:]
            if before.equal or after.equal or not match.equal:
                break
            match_size, neighbour_size = _hunk_size(match), min(_hunk_size(before), _hunk_size(after))
            # 固好 -> 稳固 is one word for another, not one character before 固 and one less after it.
            is_one_word = match_size == neighbour_size == 1 and (
                not (before.old or after.new) or not (before.new or after.old)
            )
            if not is_one_word and not (match_size <= _MAX_COINCIDENCE_CHARS and 2 * match_size <= neighbour_size):
                break
            old = "".join(text for part in merged[-3:] for text in part.old)
            new = "".join(text for part in merged[-3:] for text in part.new)
            merged[-3:] = [_Hunk(False, [old], [new])]
    return merged


def _hunk_size(hunk: _Hunk) -> int:
    return max(sum(map(len, hunk.old)), sum(map(len, hunk.new)))


# what both have


def _diff_hunks(old: Sequence[str], new: Sequence[str], max_comparisons: int) -> Iterator[_Hunk]:
    """Yield two sequences as equal stretches and the differing ones between them.

    Start and end are matched first, then the longest match between them, then the longest on each side of that match.
    """
    # Matches: index in the old, index in the new, length.
    prefix_length = _common_prefix_length(old, new)
    suffix_length = _common_prefix_length(old[prefix_length:][::-1], new[prefix_length:][::-1])
    blocks = [(0, 0, prefix_length), (len(old) - suffix_length, len(new) - suffix_length, suffix_length)]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    occurrences = Counter(new)
    open_ranges = [(prefix_length, len(old) - suffix_length, prefix_length, len(new) - suffix_length)]
    for old_from, old_to, new_from, new_to in open_ranges:  # it grows on the way
        if old_from == old_to or new_from == new_to:
            continue
        # What the search costs: for each item, the places in all of the new sequence where it occurs.
        max_comparisons -= sum(1 + occurrences[item] for item in old[old_from:old_to])
        if max_comparisons < 0:
            break
        i, j, size = matcher.find_longest_match(old_from, old_to, new_from, new_to)
        if size:
            blocks.append((i, j, size))
            open_ranges += [(old_from, i, new_from, j), (i + size, old_to, j + size, new_to)]
    old_index = new_index = 0
    for i, j, size in [*sorted(block for block in blocks if block[2]), (len(old), len(new), 0)]:
        if (i, j) != (old_index, new_index):
            yield _Hunk(False, old[old_index:i], new[new_index:j])
        old_index, new_index = i + size, j + size
        if size:
            yield _Hunk(True, old[i:old_index], new[j:new_index])


def _common_prefix_length(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many items two sequences have in common at their start."""
    equal_pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    return sum(1 for _ in equal_pairs)


# parts


def _merge_neighbours(raw_parts: Iterable[DiffPart]) -> Iterator[DiffPart]:
    """Yield neighbours of one kind as one non-empty part, deletions before insertions."""
    nonempty_parts = (part for part in raw_parts if part.text)
    for equal, group in itertools.groupby(nonempty_parts, key=lambda part: part.op is DiffOp.EQUAL):
        group_parts = list(group)
        for op in (DiffOp.EQUAL,) if equal else (DiffOp.DELETE, DiffOp.INSERT):
            if text := "".join(part.text for part in group_parts if part.op is op):
                yield DiffPart(op, text)
