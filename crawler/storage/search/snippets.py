"""Where the words of a query stand in a text: the passage to show, its hits marked, and how well it answers."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crawler.storage.search.bigrams import fold_with_places

_WIDTH = 80
_BEFORE = 20
# BM25's usual constants; a word in the title counts as much as so many in the text.
_SATURATION, _LENGTH_WEIGHT, _TITLE_WEIGHT = 1.2, 0.75, 5


@dataclass(frozen=True, slots=True)
class Passage:
    """A text and the places in it, start and end, that a query hits."""

    text: str
    hits: tuple[tuple[int, int], ...] = ()

    def parts(self) -> Iterator[tuple[str, bool]]:
        """The text in parts, each with whether it is a hit."""
        done = 0
        for start, end in self.hits:
            yield self.text[done:start], False
            yield self.text[start:end], True
            done = end
        yield self.text[done:], False


def whole(text: str, words: Sequence[str]) -> Passage:
    """All of a text with its hits."""
    return Passage(text, _hits(text, words))


def passage(text: str, words: Sequence[str], width: int = _WIDTH) -> Passage:
    """The part of a text, on one line, that holds most of the words' hits; its beginning where there are none."""
    line = " ".join(text.split())
    hits = _hits(line, words)
    start = max(0, _best_start(hits, width) - _BEFORE)
    start = max(0, min(start, len(line) - width))
    end = min(len(line), start + width)
    before, after = "…" * (start > 0), "…" * (end < len(line))
    moved = len(before) - start
    inside = tuple((max(a, start) + moved, min(b, end) + moved) for a, b in hits if a < end and b > start)
    return Passage(before + line[start:end] + after, inside)


def scores(documents: Iterable[tuple[str, str]], words: Sequence[str]) -> list[float]:
    """How well each of these documents, folded title and folded text, answers these words: BM25 among them alone."""
    counts, lengths = [], []
    for title, body in documents:
        counts.append([_TITLE_WEIGHT * title.count(word) + body.count(word) for word in words])
        lengths.append(len(title) + len(body))
    mean = sum(lengths) / len(lengths) if lengths else 1
    rarity = [_rarity(sum(bool(count[place]) for count in counts), len(counts)) for place in range(len(words))]
    return [_score(count, rarity, length / mean) for count, length in zip(counts, lengths, strict=True)]


def _rarity(having: int, of: int) -> float:
    return math.log(1 + (of - having + 0.5) / (having + 0.5))


def _score(counts: Sequence[int], rarity: Sequence[float], length: float) -> float:
    damping = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length)
    return sum(
        weight * count * (_SATURATION + 1) / (count + damping) for weight, count in zip(rarity, counts, strict=True)
    )


def _hits(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where the words stand, in order; those that touch or overlap are one."""
    if not words:
        return ()
    folded, places = fold_with_places(text)
    # Longer words first: the first alternative that fits is taken.
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
    found: list[tuple[int, int]] = []
    for match in pattern.finditer(folded):
        start, end = places[match.start()], max(places[match.end()], places[match.end() - 1] + 1)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def _best_start(hits: Sequence[tuple[int, int]], width: int) -> int:
    def number(place: int) -> int:
        return sum(1 for start, _ in hits[place:] if start < hits[place][0] + width - _BEFORE)

    return hits[max(range(min(len(hits), 50)), key=number)][0] if hits else 0
