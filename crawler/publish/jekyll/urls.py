"""Where pages stand in the site. An article's address is the place of its post, which never changes."""

from crawler.items import POSTS


def article(post_path: str) -> str:
    """The address of an article's page, from the root of the site.

    >>> article("_posts/2022/01/10/2022-01-10-NW202201102242171631.md")
    '/2022/01/10/2022-01-10-NW202201102242171631.html'
    """
    return post_path.removeprefix(POSTS).removesuffix(".md") + ".html"


def category(slug: str) -> str:
    return f"/category/{slug}.html"


def stock(secid: str) -> str:
    return f"/stock/{secid}.html"


def day(name: str) -> str:
    """The page of a day such as `2022/01/10`."""
    return f"/{name}/index.html"


def year(name: str) -> str:
    return f"/{name}/index.html"


def titles(month: str) -> str:
    """The list of a month's titles, which the search reads; the month is like `2022/01`."""
    return f"/search/{month.replace('/', '-')}.json"


def built(source: str) -> str:
    """Where the page of a post's or a page's source stands in the built site, from its root.

    >>> built("_posts/2022/01/10/2022-01-10-NW1.md"), built("stock/1.600160.html")
    ('2022/01/10/2022-01-10-NW1.html', 'stock/1.600160.html')
    """
    return article(source)[1:] if source.startswith(f"{POSTS}/") else source
