"""A body as the source has it -> a clean body: one line of balanced blocks that Jekyll shows as it stands.

The steps, in the order of `clean_html`:
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

from crawler.content.stocks import find_secid, quote_url
from crawler.content.unicode_text import strip_invisible
from crawler.errors import RejectedArticleError

# Measured with kramdown, which is quadratic in the tags on one line and dies of deep nesting.
MAX_BODY_BYTES = 1 << 20
MAX_BODY_TAGS = 20_000
MAX_TAGS_PER_LINE = 4_000
MAX_BLOCKS_PER_LINE = 500
MAX_NESTING_DEPTH = 64
# Parsers compare each attribute of a tag with all others: 200,000 of them in one tag take minutes. What is one is not
# told before it is parsed, so that words are counted, of text and tags alike.
MAX_BODY_WORDS = 30_000
_WORD_SEPARATOR = re.compile("[\\s/\"']+")

_HEADING_TAGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TABLE_TAGS = {"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th"}
_LIST_TAGS = {"ul", "ol", "li", "dl", "dt", "dd"}
_BLOCK_TAGS = {"p", "div", "blockquote", "pre", "figure", "figcaption", "hr"} | _HEADING_TAGS | _LIST_TAGS | _TABLE_TAGS
_INLINE_TAGS = {"a", "b", "strong", "i", "em", "u", "s", "del", "ins", "sub", "sup", "small", "code", "br", "img"}
_CELL_TAGS = {"td", "th"}
# Parts of a list or a figure. Those of a table never come without one: the parser drops them.
_CHILD_ONLY_TAGS = {"li", "dt", "dd", "figcaption"}
# Standing at the top level they need no <p> around them.
_TOP_LEVEL_TAGS = _BLOCK_TAGS - (_TABLE_TAGS - {"table"}) - _CHILD_ONLY_TAGS
# What may be empty and still means something.
_TAGS_KEPT_WHEN_EMPTY = {"br", "hr", "img", "td", "th", "tr"}
_TAGS_REMOVED_WITH_CONTENT = {
    "script", "style", "noscript", "template", "title", "textarea", "iframe", "object", "embed", "applet", "svg",
    "math", "audio", "video", "canvas", "select", "button", "form", "xmp", "noembed", "noframes",
}  # fmt: skip

_INPUT_SANITISER = nh3.Cleaner(
    tags=_BLOCK_TAGS | _INLINE_TAGS | {"span", "center", "font"},
    clean_content_tags=_TAGS_REMOVED_WITH_CONTENT,
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
_OUTPUT_SANITISER = nh3.Cleaner(
    tags=_BLOCK_TAGS | _INLINE_TAGS,
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
_SOURCE_LINE_PATTERN = re.compile(r"[（(] ?(?:文章|新闻|信息)?来源[：:] ?(.+?) ?[）)]")
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_ADVERT_CLASS = re.compile(r"(?:^|\s)(?:em_handle_adv_close|toplink|ad_context\d*)(?:\s|$)")
_ADVERT_HOST = "acttg.eastmoney.com"
_ADVERT_FIRST_CHAR = "在"
_ADVERT_TEXT = re.compile(_ADVERT_FIRST_CHAR + r"东方财富看资讯行情，选东方财富证券一站式开户交易[>》\s]*")
# The picture is drawn anew each day: in an old article it shows today's price.
_LIVE_CHART_URL = re.compile(r"//webquote(?:kline)?pic\.eastmoney\.com/|/GetPic\.aspx", re.IGNORECASE)
# By block, the blocks that may stand in it.
_ALLOWED_CHILD_BLOCKS = {
    **dict.fromkeys(("div", "blockquote", "li", "dd", "td", "th", "figcaption"), frozenset(_TOP_LEVEL_TAGS)),
    "figure": frozenset(_TOP_LEVEL_TAGS | {"figcaption"}),
    **dict.fromkeys(("ul", "ol"), frozenset({"li"})),
    "dl": frozenset({"dt", "dd"}),
    "table": frozenset(_TABLE_TAGS),
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset({"tr"})),
    "tr": frozenset(_CELL_TAGS),
}
# What goes, alone or with all that it holds, is taken out together: one by one, the text before it is copied each time.
_REMOVE_TAG, _REMOVE_SUBTREE = "tag-gone", "tree-gone"
# What lxml reads of a block inside anything else depends on what is around it, so that an edit may change it.
_MAX_CLEANING_PASSES = 4
# The hosts of the source's own pictures answer on https, so that an https page can show them.
_HTTPS_IMAGE_HOSTS = ("dfcfw.com", "eastmoney.com")
# From the first blank of a run only: looked for from each of them, a long run would take the square of its length.
_LINE_BREAKS = re.compile(r"(?<![ \t\f])[ \t\f]*[\r\n][ \t\r\n\f]*")
# What ends a line for Python and YAML, and is shown as nothing by a browser.
_NON_ASCII_LINE_ENDS = ("\x85", "\u2028", "\u2029")
_INDENT_CHARS = " \t\r\n\f\xa0\u3000"
_TEMPLATE_BRACE = re.compile(r"\{(?=[{%:])")
_TAG_START = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
# A tag as nh3 writes it, which leaves a `>` in an attribute as it is, and a `<` nowhere but here.
_SANITISED_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)(?:[^>\"]|\"[^\"]*\")*>")


def clean_html(body: str, base_url: str) -> str:
    """The body as a post may hold it; an empty string when nothing is left to read.

    `base_url` is the page that relative links start from. Cleaning a clean body changes nothing. Raises
    RejectedArticleError ("too complex") for what is over the caps above.
    """
    for _ in range(_MAX_CLEANING_PASSES):
        root = _edit_body(body, base_url)
        cleaned = _TEMPLATE_BRACE.sub("&#123;", "\n".join(_serialize_lines(root)))
        if cleaned == body or not _has_misplaced_blocks(root):
            break
        body = cleaned
    return cleaned


def _edit_body(body: str, base_url: str) -> HtmlElement:
    sanitised = _sanitise(body)
    root = _parse_fragment(sanitised)
    nodes = list(root.iterdescendants())  # held to the end, since lxml wraps anew each node that nobody holds
    _remove_invisible(root, nodes)
    _link_stocks(root)
    for edit in (
        _resolve_links,
        _unwrap_spans,
        _resolve_images,
        _wrap_inline_runs,
        _flatten_source_lines,
        _remove_empty,
    ):
        edit(root, base_url)
    if "\n" in sanitised or "\r" in sanitised:
        _replace_line_breaks_in_tree(root)
    _trim_blocks(root)
    return root


def html_to_text(body_html: str) -> str:
    """What a reader reads of a clean body: one line of text a block, no markup."""
    text, *tag_pieces = _SANITISED_TAG.split(body_html)
    chunks, open_cells = [text], 0
    for closing, tag, text in zip(tag_pieces[0::3], tag_pieces[1::3], tag_pieces[2::3], strict=True):
        if tag in _CELL_TAGS:
            open_cells += -1 if closing else 1
        if tag in _BLOCK_TAGS or tag == "br":
            chunks.append(" " if open_cells or tag in _CELL_TAGS else "\n")
        chunks.append(text)
    lines = (" ".join(line.split()) for line in unescape("".join(chunks)).split("\n"))
    return "\n".join(filter(None, lines))


def untrusted_html_to_text(markup: str) -> str:
    """What a reader reads of any markup, likewise. Raises RejectedArticleError."""
    return html_to_text(_sanitise(markup))


def render_body_for_web(body_html: str, stock_url_prefix: str) -> str:
    """A clean body for a page that loads nothing: pictures are links to where they are, stocks lead to
    `stock_url_prefix`.

    It is cleaned again, since another program may have written it. Raises RejectedArticleError.
    """
    root = _parse_fragment(clean_html(body_html, ""))
    for node in list(root.iterdescendants("img")):
        replacement = node.makeelement("span" if _is_inside(node, "a") else "a")
        replacement.text, replacement.tail = node.get("alt") or "图片", node.tail
        replacement.attrib.update({"class": "picture", **({"href": node.get("src")} if replacement.tag == "a" else {})})
        node.getparent().replace(node, replacement)
    for node in root.iterdescendants("a"):
        if secid := find_secid(_get_href(node), "", ""):
            node.set("href", stock_url_prefix + secid)
    return "".join(str(lxml_html.tostring(node, encoding="unicode")) for node in root)


def find_source_line_media(body: str) -> str:
    """The media that the last line （文章来源：X） of a body names, whatever links cut it; empty when there is none."""
    lines = untrusted_html_to_text(body).split("\n")
    return next(filter(None, map(_parse_source_line, reversed(lines))), "")


def _parse_source_line(line: str) -> str:
    """The media that a line names as the source; empty when it does not."""
    match = _SOURCE_LINE_PATTERN.fullmatch(" ".join(line.split()))
    return match[1] if match else ""


def _sanitise(body: str) -> str:
    """What a browser would show of a body. References are read by the sanitiser: they too may hide characters."""
    sanitised = strip_invisible(_INPUT_SANITISER.clean(strip_invisible(_check_limits(body))))
    for line_end in _NON_ASCII_LINE_ENDS:  # a look for three characters is quicker than a table for all
        sanitised = sanitised.replace(line_end, "\n")
    if sanitised.count("</") > MAX_NESTING_DEPTH and _max_depth(sanitised) > MAX_NESTING_DEPTH:
        raise RejectedArticleError(f"too complex: the body is nested over {MAX_NESTING_DEPTH} deep")
    return sanitised


def _check_limits(body: str) -> str:
    if len(body) > MAX_BODY_BYTES or len(body.encode("utf-8", "replace")) > MAX_BODY_BYTES:
        raise RejectedArticleError("too complex: the body is over 1 MiB")
    if body.count("<") > MAX_BODY_TAGS:
        raise RejectedArticleError(f"too complex: the body has over {MAX_BODY_TAGS} tags")
    check_word_count(body)
    return body


def check_word_count(markup: str, limit: int = MAX_BODY_WORDS) -> None:
    """Raises RejectedArticleError for markup that could hold more attributes than can be parsed in seconds."""
    # Between two that are counted there is a character at least.
    if len(markup) > 2 * limit and len(_WORD_SEPARATOR.findall(markup)) > limit:
        raise RejectedArticleError(f"too complex: over {limit:,} words")


def _parse_fragment(fragment: str) -> HtmlElement:
    root: HtmlElement = lxml_html.document_fromstring(f"<div>{fragment}</div>").find("body/div")
    return root


def _max_depth(markup: str) -> int:
    """The deepest nesting in balanced markup, as nh3 writes it."""
    depth = deepest = 0
    for closing, tag in _TAG_START.findall(markup):
        if tag not in {"br", "hr", "img"}:
            depth += -1 if closing else 1
            deepest = max(deepest, depth)
    return deepest


# edit: what goes


def _remove_invisible(root: HtmlElement, nodes: Iterable[HtmlElement]) -> None:
    for node in nodes:
        # Its attributes tell.
        if node.keys() and (_is_hidden(node) or _is_advert(node) or _is_live_chart(node)):
            node.tag = _REMOVE_SUBTREE
    _remove_marked(root)


def _remove_marked(root: HtmlElement) -> None:
    """Take out what was marked."""
    etree.strip_elements(root, _REMOVE_SUBTREE, with_tail=False)
    etree.strip_tags(root, _REMOVE_TAG)


def _is_hidden(node: HtmlElement) -> bool:
    style = node.get("style")
    return node.get("hidden") is not None or bool(style and _HIDING_STYLE.search(style))


def _is_advert(node: HtmlElement) -> bool:
    return bool(_ADVERT_CLASS.search(node.get("class", ""))) or (
        node.tag == "a" and urlsplit(_get_href(node)).hostname == _ADVERT_HOST
    )


def _is_live_chart(node: HtmlElement) -> bool:
    if node.tag != "img":
        return False
    size = {node.get("width", "").strip(), node.get("height", "").strip()}
    return bool(_LIVE_CHART_URL.search(node.get("src", ""))) or bool(size & {"0", "1", "0px", "1px"})


def _get_href(node: HtmlElement) -> str:
    try:
        urlsplit(href := node.get("href", "").strip())
    except ValueError:  # a bracket that is no IPv6 address
        return ""
    return str(href)


# edit: what is set right


def _link_stocks(root: HtmlElement) -> None:
    for node in list(root.iterdescendants("a", "span")):
        secid = find_secid(_get_href(node), node.get("data-code", ""), node.get("id", ""))
        if secid is None or not node.text_content().strip():
            continue
        if node.tag == "span" and (_contains_tag(node, "a") or _is_inside(node, "a")):
            continue  # the link inside, or around, is the one that counts
        node.tag = "a"
        node.set("href", quote_url(secid))


def _resolve_links(root: HtmlElement, base_url: str) -> None:
    resolved_urls: dict[str, str] = {}  # most links of a body lead where others of it do
    for node in list(root.iterdescendants("a")):
        href = _get_href(node)
        if href not in resolved_urls:
            resolved_urls[href] = _resolve_url(href, base_url)
        url = resolved_urls[href]
        if not url or _is_inside(node, "a"):
            node.tag = _REMOVE_TAG
        elif node.get("href") != url:
            node.set("href", url)
    _remove_marked(root)


def _unwrap_spans(root: HtmlElement, _base_url: str) -> None:
    """What a post may not hold goes before anything is told by where it stands, first, last or in a row."""
    etree.strip_tags(root, "span", "font")


def _resolve_images(root: HtmlElement, base_url: str) -> None:
    for node in list(root.iterdescendants("img")):
        url = _resolve_url(node.get("src", "").strip(), base_url)
        if url:
            node.set("src", _upgrade_to_https(url))
        else:
            node.tag = _REMOVE_SUBTREE
    _remove_marked(root)


def _resolve_url(url: str, base_url: str) -> str:
    """The address on http or https, or an empty string for everything else."""
    try:
        absolute = urljoin(base_url, url) if url and not url.startswith("#") else ""
        split_url = urlsplit(absolute)
        scheme, host, _ = split_url.scheme, split_url.hostname, split_url.port  # a port that is no number raises
    except ValueError:
        return ""
    return absolute if scheme in {"http", "https"} and host else ""


def _upgrade_to_https(url: str) -> str:
    host = urlsplit(url).hostname or ""
    is_https_host = any(host == https_host or host.endswith("." + https_host) for https_host in _HTTPS_IMAGE_HOSTS)
    return "https" + url[4:] if is_https_host and url.startswith("http://") else url


# arrange


def _replace_line_breaks_in_tree(root: HtmlElement) -> None:
    """Line ends are spaces, but where they are shown."""
    for node in [node for node in root.iter() if not _is_inside(node, "pre")]:
        _edit_tail(node, _replace_line_breaks)
        if node.tag != "pre":
            _edit_text(node, _replace_line_breaks)


def _trim_blocks(root: HtmlElement) -> None:
    """Paragraphs begin and end with a character, and blocks touch."""
    nodes = list(root.iter())
    if _contains_tag(root, "pre"):
        nodes = [node for node in nodes if node.tag != "pre" and not _is_inside(node, "pre")]
    for node in nodes:
        tag = node.tag
        if tag in _BLOCK_TAGS or tag == "center":
            _trim_block(node)
            _trim_around_block(node)
        elif tag == "br":
            _edit_tail(node, _lstrip_indent)


def _edit_text(node: HtmlElement, edit: Callable[[str], str]) -> None:
    """Most often it is right already, and lxml copies what it is given and what it is asked for."""
    if (text := node.text) and (edited := edit(text)) != text:
        node.text = edited or None


def _edit_tail(node: HtmlElement, edit: Callable[[str], str]) -> None:
    if (tail := node.tail) and (edited := edit(tail)) != tail:
        node.tail = edited or None


def _replace_line_breaks(text: str) -> str:
    return _LINE_BREAKS.sub(" ", text) if "\n" in text or "\r" in text else text


def _lstrip_indent(text: str) -> str:
    return text.lstrip(_INDENT_CHARS)


def _strip_indent(text: str) -> str:
    return text.strip(_INDENT_CHARS)


def _rstrip_indent(text: str) -> str:
    return text.rstrip(_INDENT_CHARS)


def _trim_block(block: HtmlElement) -> None:
    if len(block):
        _trim_block_start(block)
        _trim_block_end(block)
    else:
        _edit_text(block, _strip_indent)


def _trim_block_start(block: HtmlElement) -> None:
    """No indent before the first character, however deep the element that holds it; nor an empty first line."""
    node = block
    while True:
        _edit_text(node, _lstrip_indent)
        if not len(node) or node.text or node[0].tag in _BLOCK_TAGS:
            return
        if node[0].tag == "br":
            tail = _lstrip_indent(node[0].tail or "")
            node.remove(node[0])
            node.text = tail or None
            continue
        node = node[0]


def _trim_block_end(block: HtmlElement) -> None:
    while len(block):
        last_child = block[-1]
        _edit_tail(last_child, _rstrip_indent)
        if last_child.tail or last_child.tag != "br":
            return
        block.remove(last_child)
    _edit_text(block, _rstrip_indent)


def _trim_around_block(block: HtmlElement) -> None:
    _edit_tail(block, _lstrip_indent)
    previous = block.getprevious()
    if previous is not None:
        _edit_tail(previous, _rstrip_indent)
    elif (parent := block.getparent()) is not None:
        _edit_text(parent, _rstrip_indent)


def _wrap_inline_runs(root: HtmlElement, _base_url: str) -> None:
    """Wrap each top-level run of text and inline elements in a paragraph of its own.

    A paragraph cannot hold a block: a run that does, <a><p>, is wrapped in a <div>, and a part without its whole, an
    <li> without a list, becomes one.
    """
    for node in root.iterdescendants("center"):
        node.tag = "div"
    children, text = list(root), root.text
    blocks: list[HtmlElement] = []
    inline_run, root.text = None, None
    for child in children:
        tail, child.tail = child.tail, None
        if child.tag in _CHILD_ONLY_TAGS:
            child.tag = "div"
        if child.tag in _TOP_LEVEL_TAGS:
            blocks += [*_wrap_text(root, text), child]
            inline_run, text = None, tail
            continue
        if inline_run is None:
            inline_run, text = _make_paragraph(root, text), None
            blocks.append(inline_run)
        inline_run.append(child)
        child.tail = tail
        if _contains_block(child):
            inline_run.tag = "div"
    root[:] = [*blocks, *_wrap_text(root, text)]


def _wrap_text(root: HtmlElement, text: str | None) -> list[HtmlElement]:
    """A paragraph of its own for text between blocks; none for white space."""
    return [_make_paragraph(root, text)] if text and text.strip(_INDENT_CHARS) else []


def _make_paragraph(root: HtmlElement, text: str | None) -> HtmlElement:
    paragraph = root.makeelement("p")
    paragraph.text = text
    return paragraph


def _flatten_source_lines(root: HtmlElement, _base_url: str) -> None:
    """The source line at the foot is text: a link inside it is an annotator's slip, 上海<证券>报."""
    paragraphs = list(root.iterdescendants("p"))
    for node in paragraphs:
        if (class_names := node.get("class")) is None:
            continue
        node.attrib.pop("class")
        if _SOURCE_LINE_CLASS in class_names.split():
            _flatten_to_text(node)
            node.set("class", _SOURCE_LINE_CLASS)
    last_paragraph = next(
        (node for node in reversed(paragraphs) if _has_visible_content(node, node.text_content())), None
    )
    if last_paragraph is not None and _parse_source_line(last_paragraph.text_content()):
        _flatten_to_text(last_paragraph)


def _flatten_to_text(node: HtmlElement) -> None:
    text = node.text_content()
    del node[:]
    node.text = text


def _remove_empty(root: HtmlElement, _base_url: str) -> None:
    for node in reversed(list(root.iterdescendants())):
        if node.tag in _TAGS_KEPT_WHEN_EMPTY or _starts_with_text(node):
            continue
        text = node.text_content()
        if not _has_visible_content(node, text):
            if node.tag in _INLINE_TAGS and " " in text:  # it keeps two words apart
                node.tail = " " + (node.tail or "")
            node.clear(keep_tail=True)  # so that what it stands in is seen to be empty, too
            node.tag = _REMOVE_SUBTREE
    _remove_marked(root)


def _starts_with_text(node: HtmlElement) -> bool:
    """Whether a look at the first characters tells that this is read, and no promotion."""
    leading_text = (node.text or "").lstrip(_INDENT_CHARS)
    return bool(leading_text) and leading_text[0] != _ADVERT_FIRST_CHAR


def _has_visible_content(node: HtmlElement, text: str) -> bool:
    """Whether a reader is to see it, given its text."""
    text = text.strip(_INDENT_CHARS)
    is_promotion = node.tag == "p" and _ADVERT_TEXT.fullmatch(text)
    return not is_promotion and (bool(text) or _contains_tag(node, "img", "hr"))


def _has_misplaced_blocks(root: HtmlElement) -> bool:
    return any(
        node.tag in _BLOCK_TAGS and node.tag not in _ALLOWED_CHILD_BLOCKS.get(node.getparent().tag, ())
        for node in root.iterdescendants()
    )


def _contains_block(node: HtmlElement) -> bool:
    # A look at each: lxml takes longer to read so many names.
    return any(descendant.tag in _BLOCK_TAGS for descendant in node.iterdescendants())


def _contains_tag(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterdescendants(*tags), None) is not None


def _is_inside(node: HtmlElement, *tags: str) -> bool:
    return next(node.iterancestors(*tags), None) is not None


def _serialize_lines(root: HtmlElement) -> list[str]:
    """All on one line, as the first posts were; one block a line where kramdown would choke on that.

    A line end that is left stands in a <pre>, where it is shown: it becomes a reference.
    """
    lines = [_serialize_children(root)] if len(root) <= MAX_BLOCKS_PER_LINE else list(map(_serialize_node, root))
    lines = [_OUTPUT_SANITISER.clean(line).replace("\n", "&#10;") for line in lines]
    if any(line.count("<") > MAX_TAGS_PER_LINE for line in lines):
        raise RejectedArticleError(f"too complex: over {MAX_TAGS_PER_LINE} tags on one line")
    return lines


def _serialize_children(root: HtmlElement) -> str:
    return _serialize_node(root).removeprefix("<div>").removesuffix("</div>")


def _serialize_node(node: HtmlElement) -> str:
    return str(etree.tostring(node, method="html", encoding="unicode", with_tail=False))
