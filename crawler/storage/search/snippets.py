"""Snippets: the passage of a text to show for a query, with its highlights, and its relevance (BM25)."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crawler.storage.search.folding import normalise_with_offsets

_SNIPPET_WIDTH = 80
_CONTEXT_BEFORE_HIT = 20
# BM25's usual constants; a word in the title counts as much as this many in the text.
_BM25_K1, _BM25_B, _TITLE_WEIGHT = 1.2, 0.75, 5


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text and the places in it, start and end, that a query hits."""

    text: str
    highlights: tuple[tuple[int, int], ...] = ()

    def segments(self) -> Iterator[tuple[str, bool]]:
        """Yield the parts of the text, each with whether it is a hit."""
        last_end = 0
        for start, end in self.highlights:
            yield self.text[last_end:start], False
            yield self.text[start:end], True
            last_end = end
        yield self.text[last_end:], False


def highlight_all(text: str, words: Sequence[str]) -> Snippet:
    """Return a whole text with its hits."""
    return Snippet(text, _find_highlights(text, words))


def best_snippet(text: str, words: Sequence[str], width: int = _SNIPPET_WIDTH) -> Snippet:
    """Return the part of a text, on one line, with most hits; the beginning where there are none."""
    line = " ".join(text.split())
    spans = _find_highlights(line, words)

    def count_spans_from(position: int) -> int:
        return sum(1 for start, _ in spans[position:] if start < spans[position][0] + width - _CONTEXT_BEFORE_HIT)

    densest_start = spans[max(range(min(len(spans), 50)), key=count_spans_from)][0] if spans else 0
    start = max(0, densest_start - _CONTEXT_BEFORE_HIT)
    start = max(0, min(start, len(line) - width))
    end = min(len(line), start + width)
    prefix, suffix = "…" * (start > 0), "…" * (end < len(line))
    shift = len(prefix) - start
    highlights = tuple(
        (max(span_start, start) + shift, min(span_end, end) + shift)
        for span_start, span_end in spans
        if span_start < end and span_end > start
    )
    return Snippet(prefix + line[start:end] + suffix, highlights)


def bm25_scores(documents: Iterable[tuple[str, str]], words: Sequence[str]) -> list[float]:
    """Return the BM25 score of each document (normalised title and text), with these documents as the corpus."""
    counts, lengths = [], []
    for title, body in documents:
        counts.append([_TITLE_WEIGHT * title.count(word) + body.count(word) for word in words])
        lengths.append(len(title) + len(body))
    mean_length = sum(lengths) / len(lengths) if lengths else 1
    matching = [sum(bool(count[word_index]) for count in counts) for word_index in range(len(words))]
    idf = [math.log(1 + (len(counts) - number + 0.5) / (number + 0.5)) for number in matching]
    scores = []
    for document_counts, length in zip(counts, lengths, strict=True):
        damping = _BM25_K1 * (1 - _BM25_B + _BM25_B * (length / mean_length))
        scores.append(
            sum(
                weight * count * (_BM25_K1 + 1) / (count + damping)
                for weight, count in zip(idf, document_counts, strict=True)
            )
        )
    return scores


def _find_highlights(text: str, words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the places of the words, in order; adjacent and overlapping ones are merged."""
    if not words:
        return ()
    normalised, offsets = normalise_with_offsets(text)
    # Longer words first: the first alternative that fits is taken.
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))
    spans: list[tuple[int, int]] = []
    for match in pattern.finditer(normalised):
        start, end = offsets[match.start()], offsets[match.end() - 1] + 1
        # With the marks that belong to the last character; blanks after it do not.
        while end < offsets[match.end()] and unicodedata.category(text[end]) in ("Mn", "Cf"):
            end += 1
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)
