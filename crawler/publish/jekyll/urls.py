"""URLs of the site's pages. An article's URL is the path of its post, which never changes."""

from crawler.items import POSTS_DIR


def article_url(post_path: str) -> str:
    """Return the URL of an article's page from the root of the site.

    >>> article_url("_posts/2022/01/10/2022-01-10-NW202201102242171631.md")
    '/2022/01/10/2022-01-10-NW202201102242171631.html'
    """
    return post_path.removeprefix(POSTS_DIR).removesuffix(".md") + ".html"


def category_url(slug: str) -> str:
    """Return the URL of a category's page."""
    return f"/category/{slug}.html"


def stock_url(secid: str) -> str:
    """Return the URL of a stock's page."""
    return f"/stock/{secid}.html"


def day_url(day: str) -> str:
    """Return the URL of the page of a day such as `2022/01/10`."""
    return f"/{day}/index.html"


def year_url(year: str) -> str:
    """Return the URL of the page of a year, which lists its days."""
    return f"/{year}/index.html"


def title_index_url(month: str) -> str:
    """Return the URL of the titles of a month such as `2022/01`, which the search reads."""
    return f"/search/{month.replace('/', '-')}.json"


def built_page_path(source: str) -> str:
    """Return the path in `_site` of the page that Jekyll renders from a post or from the source of a page.

    >>> built_page_path("_posts/2022/01/10/2022-01-10-NW1.md"), built_page_path("stock/1.600160.html")
    ('2022/01/10/2022-01-10-NW1.html', 'stock/1.600160.html')
    """
    return article_url(source)[1:] if source.startswith(f"{POSTS_DIR}/") else source


def slug_of_post(post_path: str) -> str:
    """Return the slug of a post as Jekyll defines it: what follows the day in the name of its file.

    >>> slug_of_post("_posts/2022/01/10/2022-01-10-NW1.md")
    'NW1'
    """
    return post_path.rpartition("/")[2].rpartition(".")[0][len("2022-01-10-") :]
