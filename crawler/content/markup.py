"""Markup of a source: its adverts, stock links and source lines, as a value that a spider hands to the cleaner."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True)
class SourceMarkup:
    """Describe the adverts, stock links and source lines of one source.

    The defaults are a plain source, which has none of them. Patterns are matched against visible text or against the
    value of an attribute without the white space around it.
    """

    zone: tzinfo = UTC
    """The time zone of times that the source writes without one."""
    advert_class: re.Pattern[str] | None = None
    """Found in the `class` of an element that is an advert."""
    advert_hosts: frozenset[str] = frozenset()
    """Hosts that only adverts link to."""
    advert_paragraph: re.Pattern[str] | None = None
    """Matches the whole text of a paragraph that is an advert."""
    live_chart_url: re.Pattern[str] | None = None
    """Found in the address of a picture that is drawn again each day: in an old article it shows today's price."""
    source_line_class: str = ""
    """The class of the paragraph that names the media."""
    source_line: re.Pattern[str] | None = None
    """Matches a whole line that names the media, which is its group 1."""
    stock_attributes: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """By attribute of `a` or `span`, the first one counting first: matches a value that names a stock or board. Its
    groups, joined by a dot, are the secid. The cleaner's input sanitiser lets `href`, `id` and `data-code` through."""
    https_image_hosts: tuple[str, ...] = ()
    """Hosts, subdomains included, whose pictures are available on https where an article says http."""
    title_suffix: re.Pattern[str] | None = None
    """Found at the end of a page's title: the name of the site."""


# A source that adds nothing, or a text of no source.
PLAIN_MARKUP = SourceMarkup()
