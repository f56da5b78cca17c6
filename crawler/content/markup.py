"""Markup of a source: its adverts, stock links and source lines, as a value that a spider hands to the cleaner."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class BoilerplateRule:
    """Tell a paragraph that is the page's own, such as an advert, from one of the article.

    It is short, has the subject and the pattern of boilerplate, and not that of news. Where the subject is found,
    one of `words` is: they are looked for first, since most articles hold none.
    """

    words: tuple[str, ...]
    subject: re.Pattern[str]
    pattern: re.Pattern[str]
    news: re.Pattern[str]
    max_chars: int = 60

    def may_match(self, text: str) -> bool:
        """Return whether a text holds any of the words; quick, for a whole article."""
        return any(word in text for word in self.words)

    def matches(self, text: str) -> bool:
        """Return whether a paragraph of this text, on one line, is the page's own."""
        return len(text) <= self.max_chars and bool(self.subject.search(text)) and self.matches_link(text)

    def matches_link(self, text: str) -> bool:
        """Return the same for text that leads to an advert, which needs no subject."""
        return not self.is_news(text) and bool(self.pattern.search(text))

    def is_news(self, text: str) -> bool:
        """Return whether a text is more than a label or a slogan."""
        return len(text) > self.max_chars or bool(self.news.search(text))


@dataclass(frozen=True, slots=True)
class SourceMarkup:
    """Describe the adverts, stock links and source lines of one source.

    The defaults are a plain source, which has none of them. Patterns are matched against visible text or against the
    value of an attribute without the white space around it.
    """

    zone: tzinfo = UTC
    """The time zone of times that the source writes without one."""
    advert_class: re.Pattern[str] | None = None
    """Found in the `class` of an element that is an advert, or otherwise the page's own."""
    advert_hosts: frozenset[str] = frozenset()
    """Hosts that adverts link to: such a link goes, but for its words in a sentence of news."""
    boilerplate: BoilerplateRule | None = None
    """Finds the paragraphs that are adverts, or otherwise the page's own, by their words."""
    live_chart_url: re.Pattern[str] | None = None
    """Found in the address of a picture that is drawn again each day: in an old article it shows today's price."""
    source_line_class: str = ""
    """The class of the paragraph that names the media."""
    source_line: re.Pattern[str] | None = None
    """Matches a whole line that names the media, which is its group 1."""
    source_line_template: str = ""
    """The line itself, with `{}` for the media, where posts of the source end with one."""
    source_line_end: re.Pattern[str] | None = None
    """Found at the end of a line that names the media in any spelling; more than the end is not matched."""
    note: re.Pattern[str] | None = None
    """Matches the beginning of a line that may stand below the source line, such as a disclaimer."""
    stock_attributes: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """By attribute of `a` or `span`, the first one counting first: matches a value that names a stock or board. Its
    groups, joined by a dot, are the secid. The cleaner's input sanitiser lets `href`, `id` and `data-code` through."""
    https_image_hosts: tuple[str, ...] = ()
    """Hosts, subdomains included, whose pictures are available on https where an article says http."""
    title_suffix: re.Pattern[str] | None = None
    """Found at the end of a page's title: the name of the site."""


# A source that adds nothing, or a text of no source.
PLAIN_MARKUP = SourceMarkup()
