"""Comparison: tell reprints from similar texts with other facts, such as one template filled in twice.

A paper that prints a text again adds or leaves out leads, clauses and sentences, and edits words. It does not exchange
names, figures, days, denials or directions. Splitting a reprint off is a nuisance, joining two stories hides one: in
doubt, texts are kept apart.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from difflib import SequenceMatcher
from typing import NamedTuple

from crawler.storage.reprints.wording import NAME, Clause, Wording, load_editors_words

# Two texts with more differing clauses than this are different.
_MAX_UNMATCHED_CLAUSES = 60
# Similar clauses in different places of two texts; of more, the comparison takes seconds.
_MAX_MOVED_CLAUSES = 60
# Two clauses that share this part of the bigrams of the shorter are versions of one.
_MIN_CLAUSE_SIMILARITY = 0.5
# Two titles of which this part of the letters is the same are of one template.
_MIN_TEMPLATE_SIMILARITY = 0.6
# A title's subject comes first.
_LEAD_LETTERS, _SUBJECT_LETTERS = 3, 6
# Within a clause that both have, so much may be added, and in longer parts edits are not looked for.
_MAX_ADDED_LETTERS, _MAX_INCIDENTAL_LETTERS, _MAX_EDITED_LETTERS = 4, 4, 600
# The same word for a day (今日) means the same day in texts that are not further apart.
_SAME_DAY_SECONDS = 12 * 60 * 60

_FIGURE_PART = re.compile(r"[\d%.-]")
_NEGATION = re.compile("不|未|无|没|非|否|勿|拒|更正|澄清|传闻|失实")
_DENIAL = re.compile(_NEGATION.pattern + "|终止|取消|撤|停|暂|拟|可能|有望|预计|计划|将")
_RISE, _FALL = (
    re.compile("涨|增|升|上调|提高|扩|盈|买|流入|加|多头"),
    re.compile("跌|减|降|下调|下滑|收窄|亏|卖|流出|空头"),
)
# What changes the word that it is added to.
_MODIFIERS = re.compile(
    "美|港|欧|英|日|半|负|反|副|前|首|零|全|部分|子公司|母|新|旧|复|停|终|若|如|假|伪|准|原|初|末|第|非|双|多|单|高|低|大|小"
)
_SUBJECT_WITHOUT_NAME = re.compile("本行|本公司|本基金|本所")


def say_the_same(first: Wording, second: Wording) -> bool:
    """Return whether two articles of similar text are one story."""
    return (
        not (first.stock_codes - second.stock_codes and second.stock_codes - first.stock_codes)
        and _titles_agree(first, second)
        and _subjects_agree(first, second)
        and _texts_agree(first, second)
    )


# comparing texts


class _Unmatched(NamedTuple):
    """Clause that the other text lacks, and its place."""

    version: "_Version"
    after: tuple[str, int]
    """The shared clause before it, and how often that came."""
    is_last: bool
    is_in_tail: bool
    in_whole_sentence: bool
    """True if the other text lacks its whole sentence."""

    @property
    def letters(self) -> str:
        return self.version.letters


class _Version(NamedTuple):
    """Part of one of two texts, between two shared clauses."""

    letters: str
    wording: Wording

    def part(self, start: int, end: int) -> "_Part":
        """Return what is different, with the letters around it."""
        return _Part(
            self.letters[max(0, start - 1) : start], self.letters[start:end], self.letters[end : end + 1], self
        )


class _Part(NamedTuple):
    """Letters of a version that differ from the other version."""

    before: str
    letters: str
    after: str
    version: _Version

    def in_context(self) -> tuple[str, str, str, str]:
        """Return the letters, and with those around: 公布 and 发布 differ by one."""
        return (
            self.letters,
            self.before + self.letters,
            self.letters + self.after,
            self.before + self.letters + self.after,
        )

    def is_incidental(self) -> bool:
        """Return whether it is a short word that its text has only here and its title not: no subject, and no fact."""
        wording = self.version.wording
        return (
            len(self.letters) <= _MAX_INCIDENTAL_LETTERS
            and self.letters.isalpha()
            and not _states_a_fact(self.letters, ignore_modifiers=len(self.letters) > 1)
            and not wording.text_letters.startswith(self.version.letters)
            and all(
                wording.text_letters.count(bigram) <= 1 and bigram not in wording.title_letters
                for bigram in _bigrams(self.before + self.letters + self.after)
            )
        )


def _texts_agree(first: Wording, second: Wording) -> bool:
    shared = Counter(clause.letters for clause in first.clauses)
    shared &= Counter(clause.letters for clause in second.clauses)
    if not _days_agree(first, second, shared):
        return False
    one, other = _find_unmatched(first, shared), _find_unmatched(second, shared)
    if one and other and max(len(one), len(other)) > _MAX_UNMATCHED_CLAUSES:
        return False
    one_by_gap, other_by_gap = _group_by_gap(one), _group_by_gap(other)
    moved = [
        (clause.version, other_clause.version)
        for clause in one
        for other_clause in other
        if clause.after != other_clause.after
        and _similarity(clause.letters, other_clause.letters) >= _MIN_CLAUSE_SIMILARITY
    ]
    return (
        len(moved) <= _MAX_MOVED_CLAUSES
        and all(_gaps_agree(one_by_gap.get(gap, []), other_by_gap.get(gap, [])) for gap in {*one_by_gap, *other_by_gap})
        and all(_edits_are_harmless(*versions) for versions in moved)
    )


def _find_unmatched(wording: Wording, shared: Counter[str]) -> list[_Unmatched]:
    met, after = Counter[str](), ("", 0)
    unmatched, matched_sentences = list[tuple[Clause, tuple[str, int]]](), set[int]()
    for clause in wording.clauses:
        if met[clause.letters] < shared[clause.letters]:
            met[clause.letters] += 1
            after = clause.letters, met[clause.letters]
            matched_sentences.add(clause.sentence)
        else:
            unmatched.append((clause, after))
    return [
        _Unmatched(
            _Version(clause.letters, wording),
            before,
            is_last=clause is wording.clauses[-1],
            is_in_tail=before == after and after != ("", 0),
            in_whole_sentence=clause.sentence not in matched_sentences,
        )
        for clause, before in unmatched
    ]


def _group_by_gap(clauses: list[_Unmatched]) -> dict[tuple[str, int], list[_Unmatched]]:
    groups: dict[tuple[str, int], list[_Unmatched]] = defaultdict(list)
    for clause in clauses:
        groups[clause.after].append(clause)
    return groups


def _gaps_agree(first: list[_Unmatched], second: list[_Unmatched]) -> bool:
    """Return whether the parts of two texts between the same shared clauses differ by an edit, not by facts."""
    if not first or not second:
        return all(map(_may_be_added, [*first, *second]))
    one, other = ("".join(clause.letters for clause in group) for group in (first, second))
    versions = first[0].version._replace(letters=one), second[0].version._replace(letters=other)
    if (first[-1].is_last and other.startswith(one)) or (second[-1].is_last and one.startswith(other)):
        return True
    if _edits_are_harmless(*versions):
        return True
    rest = list(second)
    alone = []
    for clause in first:
        counterpart = max(rest, key=lambda candidate: _similarity(clause.letters, candidate.letters), default=None)
        if counterpart is None or _similarity(clause.letters, counterpart.letters) < _MIN_CLAUSE_SIMILARITY:
            alone.append(clause)
        elif _edits_are_harmless(clause.version, counterpart.version):
            rest.remove(counterpart)
        else:
            return False
    if not alone or not rest:
        return all(map(_may_be_added, [*alone, *rest]))
    # Two endings, each of its paper.
    return first[-1].is_in_tail and second[-1].is_in_tail and not (_has_news(one) and _has_news(other))


def _may_be_added(clause: _Unmatched) -> bool:
    """Return whether a paper may add or omit this clause: not a denial within a shared sentence."""
    return clause.in_whole_sentence or clause.is_last or not _NEGATION.search(clause.letters)


def _has_news(letters: str) -> bool:
    return bool(_FIGURE_PART.search(letters) or _DENIAL.search(letters) or NAME.search(letters))


def _edits_are_harmless(first: _Version, second: _Version) -> bool:
    """Return whether two versions of a part differ only by editors' words and harmless additions."""
    if max(len(first.letters), len(second.letters)) > _MAX_EDITED_LETTERS:
        return False
    matcher = SequenceMatcher(None, first.letters, second.letters, autojunk=False)
    return all(
        tag == "equal" or _edit_is_harmless(first.part(start, end), second.part(other_start, other_end))
        for tag, start, end, other_start, other_end in matcher.get_opcodes()
    )


def _edit_is_harmless(first: _Part, second: _Part) -> bool:
    if not first.letters or not second.letters:
        added = first.letters or second.letters
        rest = load_editors_words().strip(added)
        return not rest or (
            len(rest) <= _MAX_ADDED_LETTERS and not _FIGURE_PART.search(rest) and not _states_a_fact(added)
        )
    if _directions(first.letters) != _directions(second.letters):
        return False
    if any(
        not load_editors_words().strip(one) and not load_editors_words().strip(other)
        for one, other in zip(first.in_context(), second.in_context(), strict=True)
    ):
        return True
    return first.is_incidental() and second.is_incidental()


def _directions(letters: str) -> tuple[bool, bool]:
    return bool(_RISE.search(letters)), bool(_FALL.search(letters))


def _states_a_fact(letters: str, *, ignore_modifiers: bool = False) -> bool:
    patterns = (_DENIAL, _RISE, _FALL, NAME, *(() if ignore_modifiers else (_MODIFIERS,)))
    return any(pattern.search(letters) for pattern in patterns)


def _days_agree(first: Wording, second: Wording, shared: Iterable[str]) -> bool:
    is_near = abs((first.published_at - second.published_at).total_seconds()) <= _SAME_DAY_SECONDS
    release_days = {
        wording.published_at.date() - timedelta(days=days) for wording in (first, second) for days in (0, 1)
    }
    optional_days = {day.isoformat() for day in release_days}
    first_days, second_days = _days_by_clause(first), _days_by_clause(second)
    for letters in shared:
        one, other = first_days[letters], second_days[letters]
        if is_near and [word for word, _ in one] == [word for word, _ in other]:
            continue
        only_one = Counter(day for _, day in one) - Counter(day for _, day in other)
        only_other = Counter(day for _, day in other) - Counter(day for _, day in one)
        # Where one text has a clause more often, it has other days there.
        if (only_one and only_other) or (
            len(one) == len(other) and not optional_days.issuperset([*only_one, *only_other])
        ):
            return False
    return True


def _days_by_clause(wording: Wording) -> dict[str, list[tuple[str, str]]]:
    days: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for clause in wording.clauses:
        days[clause.letters] += clause.days
    return days


# comparing titles


def _titles_agree(first: Wording, second: Wording) -> bool:
    titles = first.title_letters, second.title_letters
    if titles[0] == titles[1]:
        return True
    if _names_only_in(first, second) and _names_only_in(second, first):
        return False
    if (
        not (_names_a_subject(first) or _names_a_subject(second))
        and titles[0][:_LEAD_LETTERS] != titles[1][:_LEAD_LETTERS]
    ):
        # 本行 is another bank under each title.
        return titles[0] in titles[1] or titles[1] in titles[0]
    matcher = SequenceMatcher(None, *titles, autojunk=False)
    edits = [opcode for opcode in matcher.get_opcodes() if opcode[0] != "equal"]
    if [tag for tag, *_ in edits] != ["replace"] or matcher.ratio() < _MIN_TEMPLATE_SIMILARITY:
        return True
    # The titles differ by one word, as one template filled in twice does.
    _, start, end, other_start, other_end = edits[0]
    return second.mentions(titles[0][start:end]) or first.mentions(titles[1][other_start:other_end])


def _names_a_subject(wording: Wording) -> bool:
    """Return whether the text names its subject, not only the title."""
    return (
        bool(wording.stock_codes)
        or wording.title_letters[:_LEAD_LETTERS] in wording.text_letters
        or not _SUBJECT_WITHOUT_NAME.search(wording.text_letters)
    )


def _names_only_in(wording: Wording, other: Wording) -> bool:
    """Return whether a title begins with a name that the other article never mentions."""
    return bool(wording.title_subject) and not other.mentions(wording.title_subject)


def _subjects_agree(first: Wording, second: Wording) -> bool:
    """Return whether the words that a title shares with its text, usually the subject, are in the other article."""
    missing = _missing_subjects(first, second), _missing_subjects(second, first)
    return not all(missing) and not any(
        bigram in _bigrams(wording.title_letters[:_SUBJECT_LETTERS])
        for wording, bigrams in zip((first, second), missing, strict=True)
        for bigram in bigrams
    )


def _missing_subjects(wording: Wording, other: Wording) -> set[str]:
    return {
        bigram
        for part in wording.title_parts
        for bigram in _bigrams(part)
        if bigram in wording.text_letters
        and not other.mentions(bigram)
        and bigram.isalpha()
        and load_editors_words().strip(bigram)
    }


def _similarity(first: str, second: str) -> float:
    """Return the share of bigrams of the shorter that the other has, too."""
    one, other = _bigrams(first), _bigrams(second)
    return len(one & other) / max(1, min(len(one), len(other)))


def _bigrams(letters: str) -> set[str]:
    return {letters[index : index + 2] for index in range(max(1, len(letters) - 1))}
