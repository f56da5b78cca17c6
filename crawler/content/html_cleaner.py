"""A body as the source has it -> a clean body: one line of balanced blocks that Jekyll shows as it stands.

The steps, in the order of `clean`:
    bound     what is too big or too deep is refused before anybody parses it
    sanitise  nh3 parses as a browser does, and drops what runs, loads or hides behind a comment
    edit      adverts, hidden parts and live charts go; links, the source line, indents and images are set right
    arrange   every top-level node is a block; nothing is empty; no white space between blocks
    sanitise  nh3 again, with the allow-list of what a post may hold, so that no edit can let anything in
    disarm    a `{` that Liquid or kramdown would read becomes `&#123;`
"""

import re
from collections.abc import Callable, Iterable
from html import unescape
from urllib.parse import urljoin, urlsplit

import nh3
from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from crawler.content.stocks import quote_link, secid_of
from crawler.content.unicode_text import visible
from crawler.errors import Rejected

# Measured with kramdown, which is quadratic in the tags on one line and dies of deep nesting.
MAX_BYTES = 1 << 20
MAX_TAGS = 20_000
MAX_TAGS_ON_A_LINE = 4_000
MAX_BLOCKS_ON_A_LINE = 500
MAX_DEPTH = 64
# Parsers compare each attribute of a tag with all others: 200,000 of them in one tag take minutes. What is one is not
# told before it is parsed, so that words are counted, of text and tags alike.
MAX_WORDS = 30_000
_BETWEEN_WORDS = re.compile("[\\s/\"']+")

_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TABLE = {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"}
_LISTS = {"ul", "ol", "li", "dl", "dt", "dd"}
_BLOCKS = {"p", "div", "blockquote", "pre", "figure", "figcaption", "hr"} | _HEADINGS | _LISTS | _TABLE
_INLINE = {"a", "b", "strong", "i", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "br", "img"}
_CELLS = {"td", "th"}
# Parts of a list or a figure. Those of a table never come without one: the parser drops them.
_PARTS = {"li", "dt", "dd", "figcaption"}
# Standing at the top level they need no <p> around them.
_TOP_LEVEL = _BLOCKS - (_TABLE - {"table"}) - _PARTS
# What may be empty and still means something.
_MEANINGFUL_EMPTY = {"br", "hr", "img", "td", "th", "tr"}
_CONTENT_GOES = {
    "script", "style", "noscript", "template", "title", "textarea", "iframe", "object", "embed", "applet", "svg",
    "math", "audio", "video", "canvas", "select", "button", "form", "xmp", "noembed", "noframes",
}  # fmt: skip

_READ = nh3.Cleaner(
    tags=_BLOCKS | _INLINE | {"span", "center", "font"},
    clean_content_tags=_CONTENT_GOES,
    attributes={
        "*": {"class", "style", "id", "hidden", "data-code"},
        "a": {"href"},
        "span": {"href"},
        "img": {"src", "alt", "width", "height"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
    },
    url_schemes={"http", "https"},
    link_rel=None,
)
_WRITE = nh3.Cleaner(
    tags=_BLOCKS | _INLINE,
    attributes={
        "p": {"class"},
        "a": {"href"},
        "img": {"src", "alt"},
        "td": {"colspan", "rowspan"},
        "th": {"colspan", "rowspan"},
    },
    url_schemes={"http", "https"},
    link_rel=None,
)

_SOURCE_LINE_CLASS = "em_media"
_SOURCE_LINE = re.compile(r"[（(] ?(?:文章|新闻|信息)?来源[：:] ?(.+?) ?[）)]")
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_ADVERT_CLASS = re.compile(r"(?:^|\s)(?:em_handle_adv_close|toplink|ad_context\d*)(?:\s|$)")
_ADVERT_HOST = "acttg.eastmoney.com"
_ADVERT_BEGINS = "在"
_ADVERT_TEXT = re.compile(_ADVERT_BEGINS + r"东方财富看资讯行情，选东方财富证券一站式开户交易[>》\s]*")
# The picture is drawn anew each day: in an old article it shows today's price.
_LIVE_CHART = re.compile(r"//webquote(?:kline)?pic\.eastmoney\.com/|/GetPic\.aspx", re.IGNORECASE)
# By block, the blocks that may stand in it.
_MAY_HOLD = {
    **dict.fromkeys(("div", "blockquote", "li", "dd", "td", "th", "figcaption"), frozenset(_TOP_LEVEL)),
    "figure": frozenset(_TOP_LEVEL | {"figcaption"}),
    **dict.fromkeys(("ul", "ol"), frozenset({"li"})),
    "dl": frozenset({"dt", "dd"}),
    "table": frozenset(_TABLE),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset({"tr"})),
    "tr": frozenset(_CELLS),
}
# What goes, alone or with all that it holds, is taken out together: one by one, the text before it is copied each time.
_TAG_GONE, _TREE_GONE = "tag-gone", "tree-gone"
# What lxml reads of a block inside anything else depends on what is around it, so that an edit may change it.
_MOST_READINGS = 4
# The hosts of the source's own pictures answer on https, so that an https page can show them.
_SOURCE_HOSTS = ("dfcfw.com", "eastmoney.com")
# From the first blank of a run only: looked for from each of them, a long run would take the square of its length.
_LINE_BREAKS = re.compile(r"(?<![ \t\f])[ \t\f]*[\r\n][ \t\r\n\f]*")
# What ends a line for Python and YAML, and is shown as nothing by a browser.
_OTHER_LINE_ENDS = ("\x85", "\u2028", "\u2029")
_INDENT = " \t\r\n\f\xa0\u3000"
_TEMPLATE_BRACE = re.compile(r"\{(?=[{%:])")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
# A tag as nh3 writes it, which leaves a `>` in an attribute as it is, and a `<` nowhere but here.
_MARKUP = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:[^>\"]|\"[^\"]*\")*>")


def clean(body: str, base_url: str) -> str:
    """The body as a post may hold it; an empty string when nothing is left to read.

    `base_url` is the page that relative links start from. Cleaning a clean body changes nothing. Raises Rejected
    ("too complex") for what is over the caps above.
    """
    for _ in range(_MOST_READINGS):
        root = _edited(body, base_url)
        cleaned = _TEMPLATE_BRACE.sub("&#123;", "\n".join(_lines(root)))
        if cleaned == body or not _has_blocks_astray(root):
            break
        body = cleaned
    return cleaned


def _edited(body: str, base_url: str) -> HtmlElement:
    shown = _sanitised(body)
    root = _parse(shown)
    nodes = list(root.iterdescendants())  # held to the end, since lxml wraps anew each node that nobody holds
    _drop_unread(root, nodes)
    _link_stocks(root)
    for edit in (_set_links, _unwrap, _set_images, _arrange, _plain_source_lines, _prune_empty):
        edit(root, base_url)
    if "\n" in shown or "\r" in shown:
        _join_lines(root)
    _tidy_white_space(root)
    return root


def plain(body_html: str) -> str:
    """What a reader reads of a clean body: one line of text a block, no markup."""
    text, *parts = _MARKUP.split(body_html)
    shown, in_cells = [text], 0
    for closing, tag, text in zip(parts[0::3], parts[1::3], parts[2::3], strict=True):
        if tag in _CELLS:
            in_cells += -1 if closing else 1
        if tag in _BLOCKS or tag == "br":
            shown.append(" " if in_cells or tag in _CELLS else "\n")
        shown.append(text)
    lines = (" ".join(line.split()) for line in unescape("".join(shown)).split("\n"))
    return "\n".join(filter(None, lines))


def shown_text(markup: str) -> str:
    """What a reader reads of any markup, likewise. Raises Rejected."""
    return plain(_sanitised(markup))


def for_pages(body_html: str, stock_page: str) -> str:
    """A clean body for a page that loads nothing: pictures are links to where they are, stocks lead to `stock_page`.

    It is cleaned again, since another program may have written it. Raises Rejected.
    """
    root = _parse(clean(body_html, ""))
    for node in list(root.iterdescendants("img")):
        link = node.makeelement("span" if _stands_in(node, "a") else "a")
        link.text, link.tail = node.get("alt") or "图片", node.tail
        link.attrib.update({"class": "picture", **({"href": node.get("src")} if link.tag == "a" else {})})
        node.getparent().replace(node, link)
    for node in root.iterdescendants("a"):
        if secid := secid_of(_href(node), "", ""):
            node.set("href", stock_page + secid)
    return "".join(str(lxml_html.tostring(node, encoding="unicode")) for node in root)


def source_line(body: str) -> str:
    """The media that the last line （文章来源：X） of a body names, whatever links cut it; empty when there is none."""
    lines = shown_text(body).split("\n")
    return next(filter(None, map(_source_named, reversed(lines))), "")


def _source_named(line: str) -> str:
    """The media that a line names as the source; empty when it does not."""
    found = _SOURCE_LINE.fullmatch(" ".join(line.split()))
    return found[1] if found else ""


def _sanitised(body: str) -> str:
    """What a browser would show of a body. References are read by the sanitiser: they too may hide characters."""
    shown = visible(_READ.clean(visible(_bounded(body))))
    for end in _OTHER_LINE_ENDS:  # a look for three characters is quicker than a table for all
        shown = shown.replace(end, "\n")
    if shown.count("</") > MAX_DEPTH and _depth(shown) > MAX_DEPTH:
        raise Rejected(f"too complex: the body is nested over {MAX_DEPTH} deep")
    return shown


def _bounded(body: str) -> str:
    if len(body) > MAX_BYTES or len(body.encode("utf-8", "replace")) > MAX_BYTES:
        raise Rejected("too complex: the body is over 1 MiB")
    if body.count("<") > MAX_TAGS:
        raise Rejected(f"too complex: the body has over {MAX_TAGS} tags")
    check_words(body)
    return body


def check_words(markup: str, most: int = MAX_WORDS) -> None:
    """Raises Rejected for markup that could hold more attributes than can be parsed in seconds."""
    # Between two that are counted there is a character at least.
    if len(markup) > 2 * most and len(_BETWEEN_WORDS.findall(markup)) > most:
        raise Rejected(f"too complex: over {most:,} words")


def _parse(fragment: str) -> HtmlElement:
    root: HtmlElement = lxml_html.document_fromstring(f"<div>{fragment}</div>").find("body/div")
    return root


def _depth(balanced: str) -> int:
    """The deepest nesting in balanced markup, as nh3 writes it."""
    depth = deepest = 0
    for closing, tag in _TAG.findall(balanced):
        if tag not in {"br", "hr", "img"}:
            depth += -1 if closing else 1
            deepest = max(deepest, depth)
    return deepest


# edit: what goes


def _drop_unread(root: HtmlElement, nodes: Iterable[HtmlElement]) -> None:
    for node in nodes:
        # Its attributes tell.
        if node.keys() and (_is_hidden(node) or _is_advert(node) or _is_live_chart(node)):
            node.tag = _TREE_GONE
    _let_go(root)


def _let_go(root: HtmlElement) -> None:
    """Take out what was marked."""
    etree.strip_elements(root, _TREE_GONE, with_tail=False)
    etree.strip_tags(root, _TAG_GONE)


def _is_hidden(node: HtmlElement) -> bool:
    style = node.get("style")
    return node.get("hidden") is not None or bool(style and _HIDING_STYLE.search(style))


def _is_advert(node: HtmlElement) -> bool:
    return bool(_ADVERT_CLASS.search(node.get("class", ""))) or (
        node.tag == "a" and urlsplit(_href(node)).hostname == _ADVERT_HOST
    )


def _is_live_chart(node: HtmlElement) -> bool:
    if node.tag != "img":
        return False
    size = {node.get("width", "").strip(), node.get("height", "").strip()}
    return bool(_LIVE_CHART.search(node.get("src", ""))) or bool(size & {"0", "1", "0px", "1px"})


def _href(node: HtmlElement) -> str:
    try:
        urlsplit(href := node.get("href", "").strip())
    except ValueError:  # a bracket that is no IPv6 address
        return ""
    return str(href)


# edit: what is set right


def _link_stocks(root: HtmlElement) -> None:
    for node in list(root.iterdescendants("a", "span")):
        secid = secid_of(_href(node), node.get("data-code", ""), node.get("id", ""))
        if secid is None or not node.text_content().strip():
            continue
        if node.tag == "span" and (_holds(node, "a") or _stands_in(node, "a")):
            continue  # the link inside, or around, is the one that counts
        node.tag = "a"
        node.set("href", quote_link(secid))


def _set_links(root: HtmlElement, base_url: str) -> None:
    known: dict[str, str] = {}  # most links of a body lead where others of it do
    for node in list(root.iterdescendants("a")):
        href = _href(node)
        if href not in known:
            known[href] = _absolute(href, base_url)
        url = known[href]
        if not url or _stands_in(node, "a"):
            node.tag = _TAG_GONE
        elif node.get("href") != url:
            node.set("href", url)
    _let_go(root)


def _unwrap(root: HtmlElement, _base_url: str) -> None:
    """What a post may not hold goes before anything is told by where it stands, first, last or in a row."""
    etree.strip_tags(root, "span", "font")


def _set_images(root: HtmlElement, base_url: str) -> None:
    for node in list(root.iterdescendants("img")):
        url = _absolute(node.get("src", "").strip(), base_url)
        if url:
            node.set("src", _secure(url))
        else:
            node.tag = _TREE_GONE
    _let_go(root)


def _absolute(url: str, base_url: str) -> str:
    """The address on http or https, or an empty string for everything else."""
    try:
        absolute = urljoin(base_url, url) if url and not url.startswith("#") else ""
        parts = urlsplit(absolute)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        return ""
    return absolute if scheme in {"http", "https"} and host else ""


def _secure(url: str) -> str:
    host = urlsplit(url).hostname or ""
    ours = any(host == known or host.endswith("." + known) for known in _SOURCE_HOSTS)
    return "https" + url[4:] if ours and url.startswith("http://") else url


# arrange


def _join_lines(root: HtmlElement) -> None:
    """Line ends are spaces, but where they are shown."""
    for node in [node for node in root.iter() if not _stands_in(node, "pre")]:
        _edit_tail(node, _one_line)
        if node.tag != "pre":
            _edit_text(node, _one_line)


def _tidy_white_space(root: HtmlElement) -> None:
    """Paragraphs begin and end with a character, and blocks touch."""
    nodes = list(root.iter())
    if _holds(root, "pre"):
        nodes = [node for node in nodes if node.tag != "pre" and not _stands_in(node, "pre")]
    for node in nodes:
        tag = node.tag
        if tag in _BLOCKS or tag == "center":
            _strip(node)
            _touch_neighbours(node)
        elif tag == "br":
            _edit_tail(node, _without_indent)


def _edit_text(node: HtmlElement, edit: Callable[[str], str]) -> None:
    """Most often it is right already, and lxml copies what it is given and what it is asked for."""
    if (text := node.text) and (edited := edit(text)) != text:
        node.text = edited or None


def _edit_tail(node: HtmlElement, edit: Callable[[str], str]) -> None:
    if (tail := node.tail) and (edited := edit(tail)) != tail:
        node.tail = edited or None


def _one_line(text: str) -> str:
    return _LINE_BREAKS.sub(" ", text) if "\n" in text or "\r" in text else text


def _without_indent(text: str) -> str:
    return text.lstrip(_INDENT)


def _stripped(text: str) -> str:
    return text.strip(_INDENT)


def _without_end(text: str) -> str:
    return text.rstrip(_INDENT)


def _strip(block: HtmlElement) -> None:
    if len(block):
        _strip_start(block)
        _strip_end(block)
    else:
        _edit_text(block, _stripped)


def _strip_start(block: HtmlElement) -> None:
    """No indent before the first character, however deep the element that holds it; nor an empty first line."""
    node = block
    while True:
        _edit_text(node, _without_indent)
        if not len(node) or node.text or node[0].tag in _BLOCKS:
            return
        if node[0].tag == "br":
            tail = _without_indent(node[0].tail or "")
            node.remove(node[0])
            node.text = tail or None
            continue
        node = node[0]


def _strip_end(block: HtmlElement) -> None:
    while len(block):
        last = block[-1]
        _edit_tail(last, _without_end)
        if last.tail or last.tag != "br":
            return
        block.remove(last)
    _edit_text(block, _without_end)


def _touch_neighbours(block: HtmlElement) -> None:
    _edit_tail(block, _without_indent)
    before = block.getprevious()
    if before is not None:
        _edit_tail(before, _without_end)
    elif (parent := block.getparent()) is not None:
        _edit_text(parent, _without_end)


def _arrange(root: HtmlElement, _base_url: str) -> None:
    """Wrap each top-level run of text and inline elements in a paragraph of its own.

    A paragraph cannot hold a block: a run that does, <a><p>, is wrapped in a <div>, and a part without its whole, an
    <li> without a list, becomes one.
    """
    for node in root.iterdescendants("center"):
        node.tag = "div"
    children, text = list(root), root.text
    blocks: list[HtmlElement] = []
    run, root.text = None, None
    for child in children:
        tail, child.tail = child.tail, None
        if child.tag in _PARTS:
            child.tag = "div"
        if child.tag in _TOP_LEVEL:
            blocks += [*_paragraphs(root, text), child]
            run, text = None, tail
            continue
        if run is None:
            run, text = _paragraph(root, text), None
            blocks.append(run)
        run.append(child)
        child.tail = tail
        if _holds_blocks(child):
            run.tag = "div"
    root[:] = [*blocks, *_paragraphs(root, text)]


def _paragraphs(root: HtmlElement, text: str | None) -> list[HtmlElement]:
    """A paragraph of its own for text between blocks; none for white space."""
    return [_paragraph(root, text)] if text and text.strip(_INDENT) else []


def _paragraph(root: HtmlElement, text: str | None) -> HtmlElement:
    paragraph = root.makeelement("p")
    paragraph.text = text
    return paragraph


def _plain_source_lines(root: HtmlElement, _base_url: str) -> None:
    """The source line at the foot is text: a link inside it is an annotator's slip, 上海<证券>报."""
    paragraphs = list(root.iterdescendants("p"))
    for node in paragraphs:
        if (names := node.get("class")) is None:
            continue
        node.attrib.pop("class")
        if _SOURCE_LINE_CLASS in names.split():
            _make_text(node)
            node.set("class", _SOURCE_LINE_CLASS)
    last = next((node for node in reversed(paragraphs) if _is_read(node, node.text_content())), None)
    if last is not None and _source_named(last.text_content()):
        _make_text(last)


def _make_text(node: HtmlElement) -> None:
    text = node.text_content()
    del node[:]
    node.text = text


def _prune_empty(root: HtmlElement, _base_url: str) -> None:
    for node in reversed(list(root.iterdescendants())):
        if node.tag in _MEANINGFUL_EMPTY or _begins_as_text(node):
            continue
        text = node.text_content()
        if not _is_read(node, text):
            if node.tag in _INLINE and " " in text:  # it keeps two words apart
                node.tail = " " + (node.tail or "")
            node.clear(keep_tail=True)  # so that what it stands in is seen to be empty, too
            node.tag = _TREE_GONE
    _let_go(root)


def _begins_as_text(node: HtmlElement) -> bool:
    """Whether a look at the first characters tells that this is read, and no promotion."""
    begins = (node.text or "").lstrip(_INDENT)
    return bool(begins) and begins[0] != _ADVERT_BEGINS


def _is_read(node: HtmlElement, text: str) -> bool:
    """Whether a reader is to see it, given its text."""
    text = text.strip(_INDENT)
    is_promotion = node.tag == "p" and _ADVERT_TEXT.fullmatch(text)
    return not is_promotion and (bool(text) or _holds(node, "img", "hr"))


def _has_blocks_astray(root: HtmlElement) -> bool:
    return any(
        node.tag in _BLOCKS and node.tag not in _MAY_HOLD.get(node.getparent().tag, ())
        for node in root.iterdescendants()
    )


def _holds_blocks(node: HtmlElement) -> bool:
    # A look at each: lxml takes longer to read so many names.
    return any(inner.tag in _BLOCKS for inner in node.iterdescendants())


def _holds(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterdescendants(*tags), None) is not None


def _stands_in(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterancestors(*tags), None) is not None


def _lines(root: HtmlElement) -> list[str]:
    """All on one line, as the first posts were; one block a line where kramdown would choke on that.

    A line end that is left stands in a <pre>, where it is shown: it becomes a reference.
    """
    lines = [_inside(root)] if len(root) <= MAX_BLOCKS_ON_A_LINE else list(map(_written, root))
    lines = [_WRITE.clean(line).replace("\n", "&#10;") for line in lines]
    if any(line.count("<") > MAX_TAGS_ON_A_LINE for line in lines):
        raise Rejected(f"too complex: over {MAX_TAGS_ON_A_LINE} tags on one line")
    return lines


def _inside(root: HtmlElement) -> str:
    return _written(root).removeprefix("<div>").removesuffix("</div>")


def _written(node: HtmlElement) -> str:
    return str(etree.tostring(node, method="html", encoding="unicode", with_tail=False))
