"""Near names: find the known Chinese names that a name may be a slip of.

Ratios of common characters, as difflib has them, say little of names of two to four characters: 贵阳日报 and 贵州日报
are as much alike as 证劵时报 and 证券时报. So a name is near if it sounds the same, if it begins another, or if it is
one slip away and what differs is not what papers differ in: their place or subject, and their kind.
"""

import re
from collections.abc import Iterable
from itertools import takewhile

from crawler.content.slugs import name_key, to_pinyin

# The end of a name that says what kind of media it is.
_KIND = re.compile(
    r"(?<=.)(?:[日晚晨早时商导周快]报|都市报|青年报|特区报|新闻网|财经网|新闻|财经|周刊|杂志|卫视|电视台|[报网社台])$"
)
_COUNTRY = re.compile(r"^(?:中国|国际)")
# Syllables that many people type alike: zh and z, n and l, an and ang.
_ALIKE_SOUNDS = ((r"(?<=[zcs])h", ""), (r"g$", ""), ("^p", "b"), ("^t", "d"), ("^k", "g"), ("^[qx]", "j"), ("^l", "n"))


def find_near_names(name: str, known_names: Iterable[str]) -> list[str]:
    """Return the known names that a name may be a slip of, those one slip away first.

    >>> find_near_names("财联杜", ["财联社", "证券时报"]), find_near_names("贵阳日报", ["贵州日报"])
    (['财联社'], [])
    """
    keys = {known: name_key(known) for known in known_names}
    key, sound = name_key(name), to_pinyin(name)
    slips = [known for known in keys if _is_slip(key, keys[known]) or to_pinyin(known) == sound]
    is_beginning = len(key) > 1 and not _KIND.search(key)
    return slips + [known for known in keys if known not in slips and is_beginning and keys[known].startswith(key)]


def _is_slip(name: str, known: str) -> bool:
    """Return whether one character is wrong, missing or too many, or two are swapped, and it is no other media."""
    start = _common_length(name, known)
    end = _common_length(name[start:][::-1], known[start:][::-1])
    typed, meant = name[start : len(name) - end], known[start : len(known) - end]
    if max(len(name), len(known)) < 3:
        return False
    if len(typed) == len(meant) == 1:
        return not _is_other_media(name, known, start)
    return max(len(typed), len(meant)) <= 1 or (len(typed) == 2 and typed == meant[::-1])


def _is_other_media(name: str, known: str, index: int) -> bool:
    """Return whether two names that differ in one character are of two media, as far as names tell."""
    kinds = [_kind_start(name), _kind_start(known)]
    if index >= max(kinds):
        return kinds[0] == kinds[1]  # 北京晚报, 北京日报
    if index >= min(kinds):
        return False  # 证券时抱, 人民曰报
    subject_start = match.end() if (match := _COUNTRY.match(name)) and index >= match.end() else 0
    sounds = [to_pinyin(text[index]) for text in (name, known)]
    for pattern, replacement in _ALIKE_SOUNDS:
        sounds = [re.sub(pattern, replacement, sound) for sound in sounds]
    return max(kinds) - subject_start <= 2 and sounds[0] != sounds[1]  # 贵阳日报, 中国电子报


def _common_length(text: str, other: str) -> int:
    """Return how many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))


def _kind_start(name: str) -> int:
    match = _KIND.search(name)
    return match.start() if match else len(name)
