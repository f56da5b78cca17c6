"""`finews site build` with real Jekyll: what is published, what is frozen, and what a build leaves alone."""

import html
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from crawler.content.categories import bundled_categories
from crawler.storage import Store
from crawler.storage.output_dir import OutputDir
from tests.conftest import Answer, Finews
from tests.published.conftest import FIRST, OLD_POSTS, REPRINT, TREE, jekyll, tree
from tests.test_crawl import posts_in

Site = Callable[..., Answer]


class _Links(HTMLParser):
    """A link checker of its own, that shares nothing with the one it is to find fault with."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"href", "src", "action"}]


def dead_links(site: dict[str, bytes]) -> Iterator[str]:
    for place, content in site.items():
        reader = _Links()
        reader.feed(content.decode() if place.endswith(".html") else "")
        for link in reader.found:
            target = urlsplit(urljoin(f"http://here/{place}", link))
            path = unquote(target.path).lstrip("/")
            there = {path, f"{path}index.html" if path.endswith("/") or not path else path}
            if target.netloc in {"here", "finews.withounder.com"} and not there & set(site):
                yield f"{place}: {link}"


def mtimes(folder: Path) -> dict[Path, int]:
    names = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("news.db"))
    return {path: path.stat().st_mtime_ns for path in names}


def change(output: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(output / "news.db")
    with connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def test_a_build_keeps_the_address_that_an_earlier_one_was_given(
    crawled: Path, output: Path, publish: Site, finews: Finews
) -> None:
    shutil.copytree(crawled, output)
    assert publish("build", "--site", "//news.example.org/finews").code == 0
    assert finews("rebuild", "posts", "--output", str(output)).code == 0
    config = (output / "_config.yml").read_text()
    for line in ('url: "https://news.example.org"', 'baseurl: "/finews"', 'address: "//news.example.org/finews"'):
        assert line in config.splitlines()
    assert (publish("build").code, publish("check").code) == (0, 0)
    assert (output / "_config.yml").read_text() == config


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_jekyll_builds_what_a_crawl_has_left_as_it_is(crawled: Path, output: Path, publish: Site, zone: str) -> None:
    shutil.copytree(crawled, output)
    done = jekyll(output, output / TREE, TZ=zone)
    assert (done.returncode, done.stderr) == (0, "")
    pages = tree(output / TREE)
    assert list(dead_links(pages)) == []
    for post in posts_in(output):
        page = pages[str(post.relative_to(output / "_posts").with_suffix(".html"))].decode()
        moment = re.search(r"^date: (\S+) (\S+) \+0800$", post.read_text(), re.MULTILINE)
        assert moment
        assert f'<time datetime="{moment[1]}T{moment[2]}+08:00">{moment[1]} {moment[2]} ' in page
    answer = publish("check", TZ=zone)
    assert answer.code == 0, answer.out


def test_a_build_makes_what_jekyll_makes(published: Path, tmp_path: Path) -> None:
    """With frozen months, too: plain Jekyll copies their pages."""
    assert not any("2022-01-10" in post.name for post in posts_in(published))
    assert jekyll(published, tmp_path / "plain").returncode == 0
    assert tree(tmp_path / "plain") == tree(published / TREE)


def test_freezing_changes_no_page_and_no_post(crawled: Path, published: Path, tmp_path: Path, finews: Finews) -> None:
    assert jekyll(crawled, tmp_path / "before").returncode == 0
    assert tree(published / TREE) == tree(tmp_path / "before")
    moved = {path.name: path.read_bytes() for path in (published / "_frozen").rglob("*.md")}
    assert moved
    assert moved.items() <= {path.name: path.read_bytes() for path in posts_in(crawled)}.items()
    answer = finews("verify", "--output", str(published))
    assert (answer.code, answer.out) == (0, f"{len(posts_in(crawled))} posts agree with their rows\n")


def test_frozen_posts_make_the_database_anew(built: Path, finews: Finews) -> None:
    def codes() -> list[str]:
        connection = sqlite3.connect(built / "news.db")
        found = [row[0] for row in connection.execute("SELECT code FROM articles ORDER BY code")]
        connection.close()
        return found

    before = codes()
    (built / "news.db").unlink()
    assert finews("rebuild", "db", "--output", str(built)).code == 0
    assert codes() == before
    assert finews("verify", "--output", str(built)).code == 0


def test_a_second_build_renders_what_shows_the_whole_site_and_changes_nothing(built: Path, publish: Site) -> None:
    before = mtimes(built)
    value = publish("build", "--keep-days", "30", "--json").value
    assert value["rendered"] < 15
    assert (value["frozen"], value["kept"], value["outdated_theme"]) == (0, [], False)
    assert mtimes(built) == before


def test_a_correction_thaws_one_article_and_keeps_its_address(built: Path, publish: Site, finews: Finews) -> None:
    before, kept = tree(built / TREE), mtimes(built / TREE)
    change(built, "UPDATE articles SET title = '更正后的标题' WHERE code = '202201102242171631'")
    assert finews("verify", "--repair", "--output", str(built)).code == 0
    assert (built / "_posts" / FIRST).with_suffix(".md").exists()
    assert publish("build", "--json").value["frozen"] == 1
    after = tree(built / TREE)
    assert set(after) == set(before)
    assert "更正后的标题</h1>" in after[FIRST].decode()
    assert "更正后的标题" in after["2022/01/10/index.html"].decode()
    assert (built / FIRST).read_bytes() == after[FIRST]
    assert not (built / "_posts" / FIRST).with_suffix(".md").exists()
    others = {path for path in kept if path.match("2021/12/*/*.html") or path.match("2022/04/*/*.html")}
    assert others
    assert all(path.stat().st_mtime_ns == kept[path] for path in others)
    assert publish("check").code == 0
    assert finews("verify", "--output", str(built)).code == 0


def test_a_day_that_is_corrected_does_not_move_the_page(built: Path, publish: Site, finews: Finews) -> None:
    moment = "2022-01-12T08:00:00+08:00"
    change(built, "UPDATE articles SET published_at = ? WHERE code = '202201102242171631'", moment)
    finews("verify", "--repair", "--output", str(built))
    assert publish("build").code == 0
    assert f'<time datetime="{moment}">' in (built / TREE / FIRST).read_text()
    assert publish("check").code == 0


def test_a_post_that_is_gone_takes_its_page_along(built: Path, publish: Site) -> None:
    own = built / "_posts" / "2026-01-02-own.md"
    own.write_text('---\nlayout: post\ntitle: "站长的话"\ndate: 2026-01-02 10:00:00 +0800\n---\n大家好\n')
    assert publish("build").code == 0
    assert "站长的话</h1>" in (built / TREE / "2026-01-02-own.html").read_text()
    assert publish("check").code == 0
    own.unlink()
    assert publish("build").code == 0
    assert not (built / TREE / "2026-01-02-own.html").exists()


def test_a_changed_layout_renders_the_hot_pages_anew_and_the_frozen_ones_when_told(built: Path, publish: Site) -> None:
    layout = built / "_layouts" / "default.html"
    layout.write_text(layout.read_text().replace("</main>", "</main><p>本站</p>"))
    answer = publish("build")
    assert "note: _layouts/default.html is as you have changed it" in answer.out
    assert "`finews site build --all`" in answer.out
    pages = tree(built / TREE)
    hot = next(place for place in pages if re.search(r"NW\d+\.html$", place) and not re.match(r"202[12]/", place))
    assert "本站" in pages["index.html"].decode()
    assert "本站" in pages["category/zhongguonongwang.html"].decode()
    assert "本站" in pages[hot].decode()
    assert "本站" not in pages[FIRST].decode()
    assert "本站" in layout.read_text()
    answer = publish("build", "--all")
    assert "older look" not in answer.out
    assert "本站" in (built / TREE / FIRST).read_text()
    assert "本站" in (built / FIRST).read_text()


def test_every_category_has_a_page_and_every_old_spelling_leads_there(published: Path) -> None:
    for category in bundled_categories():
        page = (published / TREE / "category" / f"{category.slug}.html").read_text()
        assert f"<h1>{category.media.replace('&', '&amp;')}</h1>" in page
    old = (published / TREE / "category" / "dongfangcaifuChoiceshuju.html").read_text()
    assert 'content="0; url=/category/dongfangcaifuchoiceshuju.html"' in old
    assert (published / TREE / "category" / "21shijijingjibaodao 21caijingAPP.html").exists()


def test_no_redirect_overwrites_a_page_where_capitals_do_not_count(built: Path, publish: Site) -> None:
    page = built / "category" / "dongfangcaifuchoiceshuju.html"
    as_the_disk_has_it = page.with_name("dongfangcaifuChoiceshuju.html")
    as_the_disk_has_it.unlink()
    as_the_disk_has_it.hardlink_to(page)
    assert publish("build").code == 0
    assert as_the_disk_has_it.samefile(page)
    assert 'layout: "list"' in page.read_text()
    as_the_disk_has_it.unlink()
    assert publish("build").code == 0
    assert 'layout: "redirect"' in as_the_disk_has_it.read_text()


def test_an_article_names_its_reprints_and_a_reprint_its_original(published: Path) -> None:
    (reprint,) = (published / TREE).rglob(f"*-NW*{REPRINT}.html")
    (original,) = re.findall(r'其他媒体的同一报道.*?<a href="(/\d{4}/[^"]+)"', reprint.read_text(), re.DOTALL)
    assert "智通财经" in reprint.read_text()
    beside = (published / TREE / original[1:]).read_text().partition("其他媒体的同一报道")[2]
    assert f'<a href="/{reprint.relative_to(published / TREE)}">' in beside


def test_pages_that_an_older_release_wrote_are_written_anew(built: Path, publish: Site) -> None:
    page = built / "category/zhongguonongwang.html"
    right = page.read_bytes()
    page.write_text('---\nlayout: "list"\narticles: []\n---\n')
    connection = sqlite3.connect(built / "news.db")
    with connection:
        connection.execute("CREATE INDEX articles_title ON articles(title)")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm009_pages_anew'")
    connection.close()
    Store.open_rw(built).close()  # as a crawl does first
    assert publish("build").code == 0
    assert page.read_bytes() == right


def test_a_stock_has_its_code_and_a_year_its_days(built: Path, publish: Site) -> None:
    connection = sqlite3.connect(built / "news.db")
    with connection:
        connection.execute("INSERT INTO mentions SELECT code, '1.600160', 'stock', '巨化股份', 1 FROM articles LIMIT 5")
    connection.close()
    assert publish("build", "--quiet").out == ""
    page = (built / TREE / "stock/1.600160.html").read_text()
    assert '600160，<a href="https://quote.eastmoney.com/unify/r/1.600160">' in page
    assert '<a href="/stock/1.600160.html">巨化股份</a>' in (built / TREE / "stock/index.html").read_text()
    assert '<a href="/2022/01/10/">01-10</a>' in (built / TREE / "2022/index.html").read_text()
    assert '<a href="/2022/">2022</a>' in (built / TREE / "archive.html").read_text()
    assert publish("check").code == 0


def test_an_article_is_listed_alike_at_home_and_on_its_day(published: Path) -> None:
    """The frame's `entries.html` makes the one list, `pages` the other."""
    listed = re.compile(r'<li><time .*<a class="media" .*</li>')
    at_home = listed.findall((published / TREE / "index.html").read_text())
    days = (page.read_text() for page in (published / TREE).glob("2*/*/*/index.html"))
    assert at_home
    assert {*at_home} <= {item for day in days for item in listed.findall(day)}


def test_a_tree_that_is_gone_is_made_anew(built: Path, publish: Site) -> None:
    shutil.rmtree(built / TREE)
    assert publish("build", "--json").value["outdated_theme"] is False
    assert publish("check").code == 0


def test_plugins_see_the_whole_site(built: Path, publish: Site) -> None:
    plugin = built / "_plugins" / "count.rb"
    plugin.parent.mkdir()
    plugin.write_text(
        "Jekyll::Hooks.register :site, :post_write do |site|\n"
        '  File.write(File.join(site.dest, "count.txt"), (site.posts.docs + site.static_files).size)\n'
        "end\n"
    )
    whole = len(posts_in(built)) + len(list(built.glob("2*/*/*/*NW*.html")))
    assert publish("build").code == 0
    assert int((built / TREE / "count.txt").read_text()) > whole
    assert publish("check").code == 0


HOSTILE = """\
---
layout: post
title: "<script>alert(1)</script> {{ site.title }} & \\"x\\""
date: 2022-03-04 00:30:00 +0800
categories: zhongguonongwang
tags: 中国农网新闻
---
<p>{{ site.title }} {% raw %} <img src="https://np-newspic.dfcfw.com/a.jpg" alt="图"></p>

<http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202203041234567890>

[返回](//a/)｜[返回首页](//b/)"""


def test_what_a_title_and_a_body_hold_is_shown_and_not_run(
    built: Path, publish: Site, finews: Finews, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    (old / "2022-03-04-NW202203041234567890.md").write_text(HOSTILE)
    assert finews("import", str(old), "--output", str(built)).code == 0
    assert publish("build").code == 0
    page = (built / TREE / "2022/03/04/2022-03-04-NW202203041234567890.html").read_text()
    assert "<script>" not in page
    assert "<h1>＜script＞alert(1)＜/script＞ {{ site.title }} &amp; &quot;x&quot;</h1>" in page
    assert "{{ site.title }} {% raw %}" in html.unescape(page)
    assert "<img" not in page
    assert '<a class="picture" href="https://np-newspic.dfcfw.com/a.jpg"' in page
    for name in ("2022/03/04/index.html", "category/zhongguonongwang.html"):
        listed = (built / TREE / name).read_text()
        assert "<script>" not in listed
        assert "{{ site.title }} &amp; &quot;x&quot;" in listed.replace("&#123;", "{")
    assert publish("check").code == 0


def test_a_crawl_without_news_touches_nothing(crawl: Finews, output: Path) -> None:
    crawl("choice")
    before = mtimes(output)
    assert crawl("choice").value["new"] == 0
    assert mtimes(output) == before


def test_a_frame_of_ours_is_brought_up_to_date(built: Path, publish: Site) -> None:
    sheet, record = built / "assets/site.css", built / ".frame.json"
    newest = sheet.read_bytes()
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    record.write_text(re.sub(r'("assets/site.css": )"\w+"', rf'\1"{digest}"', record.read_text()))
    sheet.write_bytes(b"a")
    assert publish("build", "--json").value["kept"] == []
    assert sheet.read_bytes() == newest


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda output: (output / "_layouts/list.html").write_text("{% nonsense %}"), "Jekyll cannot build the site"),
        (lambda output: (output / "_config.yml").write_text("a: [b"), "_config.yml is not YAML"),
        (lambda output: (output / "_config.yml").write_text("keep_days: soon"), "'soon' is not a number of days"),
        (lambda output: (output / "_config.yml").write_text("keep_days: 999999"), "'999999' is not a number of days"),
    ],
)
def test_what_cannot_be_built_is_told_in_a_line(
    built: Path, publish: Site, harm: Callable[[Path], None], says: str
) -> None:
    before = tree(built / TREE)
    harm(built)
    answer = publish("build")
    assert (answer.code, answer.out) == (1, "")
    assert re.fullmatch(rf"finews: .*{re.escape(says)}.*\n", answer.err)
    assert tree(built / TREE) == before
    assert list(built.glob(".stage-*")) == []


@pytest.mark.usefixtures("built")
def test_without_jekyll_a_build_says_how_to_get_it(publish: Site, tmp_path: Path) -> None:
    answer = publish("build", PATH=str(tmp_path))
    assert answer.code == 1
    assert "apt-get install jekyll" in answer.err


def test_a_build_waits_for_no_crawl(built: Path, publish: Site) -> None:
    with OutputDir.lock(built):
        assert publish("build").code == 75


def test_the_old_posts_are_all_published(published: Path) -> None:
    names = {path.stem.rpartition("-")[2].removeprefix("NW") for path in OLD_POSTS.glob("202[12]-*.md")} - {"init"}
    places = " ".join(tree(published / TREE))
    assert len(names) == 8
    assert all(f"NW{name}.html" in places for name in names)
