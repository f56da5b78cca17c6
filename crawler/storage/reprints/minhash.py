"""How alike two texts are: the runs of neighbouring characters that both hold, and keys by which alike ones are found.

The keys are MinHash bands (Broder 1997; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4).
"""

import re
import struct
import unicodedata
from hashlib import blake2b
from zlib import crc32

from crawler.content.ngrams import spaced_grams

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
# 1 - (1 - ALIKE**_ROWS)**_BANDS, which is 0.97. Four rows of a byte each make one number of 32 bits.
_BANDS, _ROWS = 26, 4
_SEED = 1
# The share of equal rows of two sketches is how alike the texts are, give or take 0.05: below this, they are not.
_MAY_BE_ALIKE = ALIKE - 0.2

_SOURCE_LINE = re.compile(r"（(?:文章)?来源[:：][^\n]{1,60}\)?）\s*\Z|\((?:文章)?来源[:：][^\n]{1,60}\)\s*\Z")
_NO_LETTER = re.compile(r"[\W_]+")
# Most of what is no letter: taken out one by one, they cost half of a search for whatever it may be.
_MARKS = "，。.%\n《》“”（）：、 "
# `xx*` in place of `x+`: `re` looks for it in four fifths of the time.
_FIGURE = re.compile(r"[0-9０-９][0-9０-９]*(?:[,，][0-9０-９]{3}(?![0-9０-９]))*(?:[.．][0-9０-９]+)?")


def letters(body_text: str) -> str:
    """The letters and digits of a text, in one width and case, without the line that names the source.

    >>> letters("Ａ股收涨，成交１．２万亿元。（文章来源：财联社）")
    'a股收涨成交12万亿元'
    """
    text = _SOURCE_LINE.sub("", body_text)
    for mark in _MARKS:
        text = text.replace(mark, "")
    return unicodedata.normalize("NFKC", text if text.isalnum() else _NO_LETTER.sub("", text)).casefold()


def digest(text: str) -> bytes:
    """16 bytes that tell one text from another, given its letters."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def figures(body_text: str) -> bytes:
    """The figures that a text tells, of 4 bytes each, each once.

    >>> figures("１，２００亿元") == figures("1200点，1200点")
    True
    """
    found = unicodedata.normalize("NFKC", " ".join(set(_FIGURE.findall(body_text[:_LONGEST])))).replace(",", "")
    numbers = sorted(set(map(crc32, found.encode().split())))
    return struct.pack(f"<{len(numbers)}I", *numbers)


def figures_agree(one: bytes, other: bytes) -> bool:
    """Whether two texts tell the same figures, but for those of what was cut."""
    some, others = set(_numbers(one)), set(_numbers(other))
    return len(some & others) >= SAME_FIGURES * min(len(some), len(others))


def runs(text: str) -> list[str]:
    """The runs of neighbouring letters of a text, given its letters; a shorter text is one."""
    return _spaced(text).split(" ")[:-1] or [text]


def _spaced(text: str) -> str:
    return spaced_grams(text[:_LONGEST], SHINGLE)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of what both hold in what either holds; 0 of nothing."""
    both = len(one & other)
    return both / max(1, len(one) + len(other) - both)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two texts are, given their runs."""
    return jaccard(one, other) >= ALIKE


def sketch(text: str) -> bytes:
    """A byte for each of the least runs of a text's letters, by as many orders; of a short text, nothing."""
    if len(text) < SHORTEST:
        return b""
    from rensa import RMinHash  # who only asks does without it

    least = RMinHash(num_perm=_BANDS * _ROWS, seed=_SEED)
    least.update(_spaced(text).encode().split(b" ")[:-1])  # of strings, each would be encoded by itself
    return struct.pack(f"<{_BANDS * _ROWS}I", *least.digest())[::4]


def may_be_alike(one: bytes, other: bytes) -> bool:
    """Whether two texts are worth a comparison, given their sketches."""
    if len(one) != len(other):  # that of a short text is empty
        return False
    different = int.from_bytes(one) ^ int.from_bytes(other)
    return different.to_bytes(len(one)).count(0) >= _MAY_BE_ALIKE * _BANDS * _ROWS


def keys(of_digest: bytes, of_sketch: bytes) -> list[int]:
    """Numbers of 64 bits of which alike texts share one; the first is of the text's own."""
    return [number(of_digest), *(place << 32 | band for place, band in enumerate(_numbers(of_sketch)))]


def number(data: bytes) -> int:
    """A number of 64 bits, as SQLite holds one, that stands for these bytes."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def _numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f"<{len(data) // 4}I", data)
