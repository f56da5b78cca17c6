"""Article bodies for the pages of `finews serve`, without anything that loads from other hosts."""

from lxml import html as lxml_html

from crawler.content.html_cleaner import clean_html, parse_fragment
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.stocks import is_secid
from crawler.items import QUOTE_URL_PREFIX


def render_body(body_html: str, stock_url_prefix: str) -> str:
    """Return a clean body that loads nothing: pictures become links, and links to stocks begin with `stock_url_prefix`.

    Another program may have written the body, so it is cleaned again.

    Raises:
        RejectedArticleError: the body exceeds the limits of a body.
    """
    root = parse_fragment(clean_html(body_html, "", PLAIN_MARKUP))
    for node in list(root.iterdescendants("img")):
        is_in_link = next(node.iterancestors("a"), None) is not None
        replacement = node.makeelement("span" if is_in_link else "a")
        replacement.text, replacement.tail = node.get("alt") or "图片", node.tail
        replacement.set("class", "picture")
        if not is_in_link:
            replacement.set("href", node.get("src"))
        node.getparent().replace(node, replacement)
    for node in root.iterdescendants("a"):
        secid = node.get("href", "").removeprefix(QUOTE_URL_PREFIX)
        if is_secid(secid):
            node.set("href", stock_url_prefix + secid)
    return "".join(str(lxml_html.tostring(node, encoding="unicode")) for node in root)
