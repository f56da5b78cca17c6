"""The runs of so many neighbouring characters that a text holds."""

import sys
from array import array

# Of four bytes a character, as `array` has its numbers.
_UTF_32 = f"utf-32-{sys.byteorder[0]}e"
_SPACE = array("I", [ord(" ")])


def spaced_ngrams(text: str, size: int) -> str:
    """Each run of `size` characters, and a space after each; nothing of a shorter text.

    >>> spaced_ngrams("中央银行", 2)
    '中央 央银 银行 '
    """
    code_point_array = code_points(text)
    ngram_count = max(0, len(code_point_array) - size + 1)
    # A number a character: this is on the path of each article, and no loop of ours is as fast.
    spaced = _SPACE * ((size + 1) * ngram_count)
    for offset in range(size):
        spaced[offset :: size + 1] = code_point_array[offset : offset + ngram_count]
    return spaced.tobytes().decode(_UTF_32, "surrogatepass")


def code_points(text: str) -> "array[int]":
    """The number of each character."""
    return array("I", text.encode(_UTF_32, "surrogatepass"))
