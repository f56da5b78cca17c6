"""Long bodies in real Jekyll, whose Markdown takes quadratic time for the tags on one line."""

import os
from pathlib import Path

import pytest

from crawler.content.post_format import SiteLinks, make_post_path, parse_post, render_post
from crawler.spiders.eastmoney_markup import EASTMONEY_MARKUP
from tests.support.articles import create_post
from tests.support.html import BASE, clean_html
from tests.support.long_bodies import LINK, make_table
from tests.support.published_site import run_jekyll

SITE_LINKS = SiteLinks("//finews.withounder.com")


@pytest.mark.jekyll
def test_long_table_and_paragraph_are_shown_unchanged_in_seconds(tmp_path: Path) -> None:
    body = clean_html(f"<p>{(LINK + '、') * 2_500}</p>{make_table(600, 10)}<p>*乙*</p>", BASE)
    post = create_post(body_html=body)
    text = render_post(post, SITE_LINKS)
    assert parse_post(text, SITE_LINKS, lambda _: EASTMONEY_MARKUP) == post
    file = tmp_path / make_post_path(post)
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    (tmp_path / "_layouts").mkdir()
    (tmp_path / "_layouts" / "post.html").write_text("{{ content }}", "utf-8")
    before = os.times()
    completed = run_jekyll(tmp_path, tmp_path / "_site")
    seconds = os.times().children_user - before.children_user
    assert completed.returncode == 0, completed.stderr
    assert seconds < 30
    (page,) = (tmp_path / "_site").rglob("*.html")
    shown = page.read_text("utf-8").replace("\n", "")
    assert body.replace("\n", "") in shown
