"""MinHash: how similar two texts are by their shingles (n-grams), and LSH keys that find similar ones.

The keys are MinHash bands (Broder 1997; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4).
"""

import re
import struct
import unicodedata
from hashlib import blake2b
from zlib import crc32

from crawler.storage.search.bigrams import spaced_ngrams

# Chosen on the labelled texts of tests/storage/reprints: texts that are so alike are distinguished by their wording.
SHINGLE_SIZE = 5
MIN_SIMILARITY = 0.5
# Two texts of one template have different figures; a reprint that was cut keeps those of what is left, and one that
# was edited has some in other units.
MIN_SHARED_FIGURES = 0.5
# Below this many letters, a text is only compared as a whole.
MIN_LETTERS = 30
# Characters; the rest of a longer text is not compared.
_MAX_CHARACTERS = 20_000
# Texts of a similarity s share a key of theirs with a probability of 1 - (1 - s**_ROWS_PER_BAND)**_BANDS, which is 0.81
# for 0.5 and 0.97 for 0.6. Four rows of a byte each make one number of 32 bits.
_BANDS, _ROWS_PER_BAND = 26, 4
_MINHASH_SEED = 1
# The share of equal rows of two sketches is how alike the texts are, give or take 0.05: below this, they are not.
_MIN_SKETCH_SIMILARITY = MIN_SIMILARITY - 0.2

_SOURCE_LINE = re.compile(r"（(?:文章)?来源[:：][^\n]{1,60}\)?）\s*\Z|\((?:文章)?来源[:：][^\n]{1,60}\)\s*\Z")
_NON_LETTERS = re.compile(r"[\W_]+")
# Most of what is no letter: taken out one by one, they cost half of a search for whatever it may be.
_COMMON_PUNCTUATION = "，。.%\n《》“”（）：、 "
# `xx*` in place of `x+`: `re` looks for it in four fifths of the time.
_FIGURE_PATTERN = re.compile(r"[0-9０-９][0-9０-９]*(?:[,，][0-9０-９]{3}(?![0-9０-９]))*(?:[.．][0-9０-９]+)?")


def extract_letters(body_text: str) -> str:
    """Return the letters and digits of a text, half-width and in lower case, without its source line.

    >>> extract_letters("Ａ股收涨，成交１．２万亿元。（文章来源：财联社）")
    'a股收涨成交12万亿元'
    """
    text = _SOURCE_LINE.sub("", body_text)
    for mark in _COMMON_PUNCTUATION:
        text = text.replace(mark, "")
    return unicodedata.normalize("NFKC", text if text.isalnum() else _NON_LETTERS.sub("", text)).casefold()


def hash_letters(letters: str) -> bytes:
    """Return 16 bytes (BLAKE2b) that identify a text, given its letters."""
    return blake2b(letters.encode("utf-8", "replace"), digest_size=16).digest()


def pack_figures(body_text: str) -> bytes:
    """Return the different figures in a text, 4 bytes (CRC-32) each.

    >>> pack_figures("１，２００亿元") == pack_figures("1200点，1200点")
    True
    """
    figures_text = unicodedata.normalize(
        "NFKC", " ".join(set(_FIGURE_PATTERN.findall(body_text[:_MAX_CHARACTERS])))
    ).replace(",", "")
    checksums = sorted(set(map(crc32, figures_text.encode().split())))
    return struct.pack(f"<{len(checksums)}I", *checksums)


def figures_agree(first: bytes, second: bytes) -> bool:
    """Return whether two texts share MIN_SHARED_FIGURES of the figures of the one with fewer."""
    first_figures, second_figures = set(_unpack_uint32(first)), set(_unpack_uint32(second))
    return len(first_figures & second_figures) >= MIN_SHARED_FIGURES * min(len(first_figures), len(second_figures))


def split_shingles(letters: str) -> list[str]:
    """Return the shingles of a text, given its letters; a shorter text is one shingle."""
    return _spaced_shingles(letters).split(" ")[:-1] or [letters]


def _spaced_shingles(letters: str) -> str:
    return spaced_ngrams(letters[:_MAX_CHARACTERS], SHINGLE_SIZE)


def jaccard_similarity(first: frozenset[str], second: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets, 0 to 1; 0 of empty sets."""
    shared_count = len(first & second)
    return shared_count / max(1, len(first) + len(second) - shared_count)


def are_similar(first: frozenset[str], second: frozenset[str]) -> bool:
    """Return whether two texts are similar, given their shingles."""
    return jaccard_similarity(first, second) >= MIN_SIMILARITY


def minhash_sketch(letters: str) -> bytes:
    """Return the MinHash sketch of a text's letters, one byte per permutation; empty for a short text."""
    if len(letters) < MIN_LETTERS:
        return b""
    from rensa import RMinHash  # readers of the database do not need it

    minhash = RMinHash(num_perm=_BANDS * _ROWS_PER_BAND, seed=_MINHASH_SEED)
    minhash.update(_spaced_shingles(letters).encode().split(b" ")[:-1])  # of strings, each would be encoded by itself
    return struct.pack(f"<{_BANDS * _ROWS_PER_BAND}I", *minhash.digest())[::4]


def may_be_similar(first: bytes, second: bytes) -> bool:
    """Return whether two texts may be similar, given their sketches."""
    if len(first) != len(second):  # that of a short text is empty
        return False
    differing_bits = int.from_bytes(first) ^ int.from_bytes(second)
    return differing_bits.to_bytes(len(first)).count(0) >= _MIN_SKETCH_SIMILARITY * _BANDS * _ROWS_PER_BAND


def lsh_keys(text_digest: bytes, text_sketch: bytes) -> list[int]:
    """Return the LSH keys of a text, 64-bit integers: similar texts share one. The first identifies the text."""
    return [
        hash_to_int64(text_digest),
        *(band_index << 32 | band for band_index, band in enumerate(_unpack_uint32(text_sketch))),
    ]


def hash_to_int64(data: bytes) -> int:
    """Return a signed 64-bit hash (BLAKE2b), which fits an INTEGER of SQLite."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def _unpack_uint32(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from(f"<{len(data) // 4}I", data)
