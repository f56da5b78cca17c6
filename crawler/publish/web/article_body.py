"""Article bodies as the pages of `finews serve` show them, without anything that loads from elsewhere."""

from lxml import html as lxml_html

from crawler.content.html_cleaner import clean_html, parse_fragment
from crawler.content.markup import PLAIN_MARKUP
from crawler.content.stocks import is_secid
from crawler.items import QUOTE_URL_PREFIX


def render_body(body_html: str, stock_url_prefix: str) -> str:
    """Return a clean body for a page that loads nothing: its pictures are links to where they are, and its stocks lead
    to `stock_url_prefix`.

    It is cleaned again, since another program may have written it.

    Raises: RejectedArticleError for what is over the limits of a body.
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
