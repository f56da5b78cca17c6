"""Site builder: makes articles from strings as a crawl does, and a site from posts with real Jekyll."""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crawler.content.categories import CategoryRegistry
from crawler.content.normalise import normalise_article
from crawler.content.post_format import SiteLinks, tag_for_media
from crawler.errors import ItemError
from crawler.items import Article
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from crawler.storage.article_writer import save_article
from crawler.storage.output_dir import OutputDir
from crawler.storage.post_files import write_posts
from tests.injection.oracle import ExpectedPage
from tests.support.articles import create_hostile_article
from tests.support.injection_payloads import LIQUID_SECRET

_SITE_LINKS = SiteLinks("//site.invalid")

# A minimal theme: it escapes the front matter that it shows, and renders the body unchanged.
_LAYOUT = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{{ page.title | escape }}</title></head>
<body><h1>{{ page.title | escape }}</h1><p>{{ page.categories | join: "," }}｜{{ page.tags | join: "," | escape }}</p>
<main>{{ content }}</main><footer id="end"></footer></body></html>
"""
_CONFIG = f"""canary: {LIQUID_SECRET}
timezone: Asia/Shanghai
future: true
strict_front_matter: true
permalink: /:categories/:year/:month/:day/:title:output_ext
"""


@dataclass(frozen=True)
class HostileArticle:
    """String in every field of an article, and the resulting article."""

    text: str
    article: Article
    post_path: str
    post_text: str

    def expected_page(self) -> ExpectedPage:
        article = self.article
        return ExpectedPage(
            code=article.code,
            category=article.category.slug,
            published=article.published_at,
            title=article.title,
            label=tag_for_media(article.media),
            source_text=self.text,
            body_html=article.body_html,
            url=article.url,
        )


def save_articles(texts: Iterable[str], output: Path) -> tuple[list[HostileArticle], dict[str, str]]:
    """Save every article as a crawl does, and return the reasons of rejected ones."""
    output.mkdir(parents=True)
    registry, saved_articles, rejection_reasons = CategoryRegistry(), [], {}
    with OutputDir.open_for_writing(output, address=_SITE_LINKS.address) as out:
        for number, text in enumerate(texts):
            article = create_hostile_article(text, number)
            try:
                saved_article = save_article(out, normalise_article(article, registry.get_or_create, EASTMONEY_MARKUP))
            except ItemError as error:
                rejection_reasons[text] = str(error)
                continue
            saved_articles.append(
                HostileArticle(text, saved_article.article, saved_article.post_path, saved_article.post_text)
            )
    return saved_articles, rejection_reasons


PostRenderer = Callable[[HostileArticle], str]


def render_defended(hostile: HostileArticle) -> str:
    return hostile.post_text


def build_site(
    posts: Iterable[HostileArticle], folder: Path, renderer: PostRenderer = render_defended, **config_changes: str
) -> tuple[int, Path]:
    """Build the site of these posts on a host in UTC, and return the exit code and the folder of its pages."""
    (folder / "_layouts").mkdir(parents=True)
    (folder / "_layouts" / "post.html").write_text(_LAYOUT, "utf-8")
    (folder / "_config.yml").write_text(
        _CONFIG + "".join(f"{name}: {value}\n" for name, value in config_changes.items()), "utf-8"
    )
    for post in posts:
        write_posts(folder, {post.post_path: renderer(post)})
    environment: Mapping[str, str] = {**os.environ, "TZ": "UTC", "LANG": "C.UTF-8"}
    completed = subprocess.run(
        ["jekyll", "build", "--quiet", "--disable-disk-cache"],  # noqa: S607  # Debian's or a gem's, anywhere in PATH
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    return completed.returncode, folder / "_site"
