"""How alike two texts are: the runs of neighbouring characters that both hold, and keys by which alike ones are found.

The keys are MinHash bands (Broder 1997; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4).
"""

import re
import struct
from dataclasses import dataclass
from hashlib import blake2b

from rensa import RMinHash

from crawler.text.tokens import fold

# Chosen on the labelled texts of crawler/sample_site/reprints.py: see tests/test_reprints.py.
SHINGLE = 5
ALIKE = 0.6
# Two texts of one template tell other figures; a reprint that was cut keeps those of what is left.
SAME_FIGURES = 0.8
# Below so many letters, a text is only compared as a whole.
SHORTEST = 30
# Of a longer text, so much is compared.
_LONGEST = 20_000
# Texts that are alike by ALIKE share a key of theirs with a probability of
# 1 - (1 - ALIKE**_ROWS)**_BANDS, which is 0.97.
_BANDS, _ROWS = 26, 4
_SEED = 1

_SOURCE_LINE = re.compile(r"（(?:文章)?来源[:：][^\n]{1,60}\)?）\s*\Z|\((?:文章)?来源[:：][^\n]{1,60}\)\s*\Z")
_NO_LETTER = re.compile(r"[\W_]+")
_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")


@dataclass(frozen=True, slots=True)
class Shape:
    """A text as it is compared: the runs of its letters, and its figures."""

    shingles: frozenset[str]
    figures: frozenset[str]


def letters(body_text: str) -> str:
    """The letters and digits of a text, in one width and case, without the line that names the source.

    >>> letters("Ａ股收涨，成交１．２万亿元。（文章来源：财联社）")
    'a股收涨成交12万亿元'
    """
    return _NO_LETTER.sub("", fold(_SOURCE_LINE.sub("", body_text)))


def digest(text: str) -> bytes:
    """16 bytes that tell one text from another, given its letters."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def shape(body_text: str) -> Shape:
    """What two texts are compared by."""
    text = letters(body_text)[:_LONGEST]
    folded = _THOUSANDS.sub("", fold(body_text[:_LONGEST]))
    return Shape(frozenset(_shingles(text)), frozenset(_FIGURE.findall(folded)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of what both hold in what either holds; 0 of nothing."""
    both = len(one & other)
    return both / max(1, len(one) + len(other) - both)


def alike(one: Shape, other: Shape) -> bool:
    """Whether the one is a reprint of the other: their runs of letters are, and so are their figures."""
    return jaccard(one.shingles, other.shingles) >= ALIKE and _figures_agree(one.figures, other.figures)


def keys(text: str) -> list[int]:
    """Numbers of 64 bits for a text's letters, of which alike texts share one; the first is the text's own."""
    own = number(digest(text))
    if len(text) < SHORTEST:
        return [own]
    sketch = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    sketch.update(_shingles(text[:_LONGEST]))
    rows = sketch.digest()
    bands = (rows[band * _ROWS : (band + 1) * _ROWS] for band in range(_BANDS))
    return [own, *(number(struct.pack(f"<{_ROWS + 1}I", place, *band)) for place, band in enumerate(bands))]


def number(data: bytes) -> int:
    """A number of 64 bits, as SQLite holds one, that stands for these bytes."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def _shingles(text: str) -> list[str]:
    return [text[place : place + SHINGLE] for place in range(max(1, len(text) - SHINGLE + 1))]


def _figures_agree(one: frozenset[str], other: frozenset[str]) -> bool:
    fewer = min(len(one), len(other))
    return not fewer or len(one & other) >= SAME_FIGURES * fewer
