"""`finews site build` with real Jekyll: published pages, archived pages, and pages that a build must not touch."""

import html
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import feedparser
import pytest

from crawler.content.categories import bundled_categories
from crawler.sample_site import SampleSite
from crawler.storage import Store
from crawler.storage.output_dir import OutputDir
from tests.support.articles import LEGACY_POSTS_DIR
from tests.support.commands import FAST_SETTINGS, CommandRunner
from tests.support.database import execute_sql
from tests.support.output_checks import modification_times, post_paths
from tests.support.published_site import (
    FIRST_PAGE,
    REPRINT_CODE_SUFFIX,
    SITE_DIR,
    SiteCommand,
    make_corpus,
    read_site_files,
    run_jekyll,
)

pytestmark = pytest.mark.jekyll


class LinkCollector(HTMLParser):
    """Link checker that shares no code with `finews site check`."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]


def find_dead_links(files: dict[str, bytes]) -> Iterator[str]:
    for path, content in files.items():
        collector = LinkCollector()
        collector.feed(content.decode() if path.endswith(".html") else "")
        for link in collector.links:
            target = urlsplit(urljoin(f"http://here/{path}", link))
            target_path = unquote(target.path).lstrip("/")
            candidates = {
                target_path,
                f"{target_path}index.html" if target_path.endswith("/") or not target_path else target_path,
            }
            if target.netloc in {"here", "finews.withounder.com"} and not candidates & set(files):
                yield f"{path}: {link}"


def test_build_keeps_the_address_of_an_earlier_build(
    crawled_output: Path, output: Path, run_site: SiteCommand, finews: CommandRunner
) -> None:
    shutil.copytree(crawled_output, output)
    assert run_site("build", "--site", "//news.example.org/finews").exit_code == 0
    assert finews("rebuild", "posts", "--output", str(output)).exit_code == 0
    config = (output / "_config.yml").read_text()
    for line in ('url: "https://news.example.org"', 'baseurl: "/finews"', 'address: "//news.example.org/finews"'):
        assert line in config.splitlines()
    assert (run_site("build").exit_code, run_site("check").exit_code) == (0, 0)
    assert (output / "_config.yml").read_text() == config


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_plain_jekyll_builds_the_output_of_a_crawl(
    crawled_output: Path, output: Path, run_site: SiteCommand, zone: str
) -> None:
    shutil.copytree(crawled_output, output)
    completed = run_jekyll(output, output / SITE_DIR, TZ=zone)
    assert (completed.returncode, completed.stderr) == (0, "")
    pages = read_site_files(output / SITE_DIR)
    assert list(find_dead_links(pages)) == []
    for post in post_paths(output):
        page = pages[str(post.relative_to(output / "_posts").with_suffix(".html"))].decode()
        moment = re.search(r"^date: (\S+) (\S+) \+0800$", post.read_text(), re.MULTILINE)
        assert moment
        assert f'<time datetime="{moment[1]}T{moment[2]}+08:00">{moment[1]} {moment[2]} ' in page
    result = run_site("check", TZ=zone)
    assert result.exit_code == 0, result.stdout


def test_build_equals_plain_jekyll_build(published_output: Path, tmp_path: Path) -> None:
    """Compare the pages of archived months too: plain Jekyll copies them."""
    assert not any("2022-01-10" in post.name for post in post_paths(published_output))
    assert run_jekyll(published_output, tmp_path / "plain").returncode == 0
    assert read_site_files(tmp_path / "plain") == read_site_files(published_output / SITE_DIR)


def count_rendered(run_site: SiteCommand) -> int:
    result = run_site("build", "--keep-days", "30", "--json")
    assert result.exit_code == 0, result.stderr
    rendered: int = result.json["rendered"]
    return rendered


def test_second_build_renders_and_changes_nothing(
    published_copy: Path, run_site: SiteCommand, finews: CommandRunner
) -> None:
    before = modification_times(published_copy)
    assert run_site("build", "--keep-days", "30", "--json").json == {
        "site": str(published_copy / SITE_DIR),
        "rendered": 0,
        "frozen": 0,
        "outdated_theme": False,
        "kept": [],
    }
    assert modification_times(published_copy) == before
    assert finews("verify", "--output", str(published_copy)).exit_code == 0
    assert finews("verify", "--repair", "--output", str(published_copy)).exit_code == 0
    assert count_rendered(run_site) == 0


def test_crawl_with_nothing_new_has_nothing_rendered(
    published_copy: Path, run_site: SiteCommand, finews: CommandRunner
) -> None:
    with SampleSite(make_corpus()) as sample_site:
        target_args = ("--mirror", sample_site.url, "--output", str(published_copy), *FAST_SETTINGS, "--json")
        result = finews("crawl", "eastmoney", *target_args)
    assert (result.exit_code, result.json["new"], result.json["updated"]) == (0, 0, 0)
    assert result.json["unchanged"]
    assert count_rendered(run_site) == 0


def test_changed_and_damaged_site_wide_pages_are_rendered(published_copy: Path, run_site: SiteCommand) -> None:
    before = read_site_files(published_copy / SITE_DIR)
    (published_copy / "about.html").write_text("---\n---\n本站")
    (published_copy / SITE_DIR / "index.html").write_text("damaged")
    assert count_rendered(run_site) > 0
    assert read_site_files(published_copy / SITE_DIR) == {**before, "about.html": "本站".encode()}
    assert count_rendered(run_site) == 0
    (published_copy / "about.html").unlink()
    assert count_rendered(run_site) > 0
    assert read_site_files(published_copy / SITE_DIR) == before


def test_corrected_date_does_not_move_the_page(
    published_copy: Path, run_site: SiteCommand, finews: CommandRunner
) -> None:
    moment = "2022-01-12T08:00:00+08:00"
    execute_sql(published_copy, "UPDATE articles SET published_at = ? WHERE code = '202201102242171631'", moment)
    finews("verify", "--repair", "--output", str(published_copy))
    assert run_site("build").exit_code == 0
    assert f'<time datetime="{moment}">' in (published_copy / SITE_DIR / FIRST_PAGE).read_text()
    assert run_site("check").exit_code == 0


def test_corrected_article_is_updated_in_the_feed(published_copy: Path, run_site: SiteCommand) -> None:
    feed_path = published_copy / SITE_DIR / "feed.xml"
    before = feedparser.parse(feed_path.read_bytes())
    connection = sqlite3.connect(published_copy / "news.db")
    rows = connection.execute(
        "SELECT code, post_path FROM articles ORDER BY published_at DESC, code LIMIT 50"
    ).fetchall()
    connection.close()
    assert [entry.id for entry in before.entries] == [f"tag:finews,2021:{code}" for code, _ in rows]
    (code, path), moment = rows[3], "2038-01-19T11:14:07+08:00"
    sql = "UPDATE articles SET title = '更正', changed_at = ?, revision = 2 WHERE code = ?"
    execute_sql(published_copy, sql, moment, code)
    assert run_site("build").exit_code == 0
    after = feedparser.parse(feed_path.read_bytes())
    assert [entry.id for entry in after.entries] == [entry.id for entry in before.entries]
    assert [entry.published for entry in after.entries] == [entry.published for entry in before.entries]
    assert [entry.updated for entry in after.entries if entry.updated != entry.published] == [moment]
    assert after.entries[3].title == "更正"
    assert after.entries[3].link.endswith(path.removeprefix("_posts").removesuffix(".md") + ".html")
    assert after.feed.updated == moment


def test_feed_of_an_older_release_gets_the_permanent_ids(published_copy: Path, run_site: SiteCommand) -> None:
    feed_path, data_path = published_copy / SITE_DIR / "feed.xml", published_copy / "_data/home.json"
    before = feed_path.read_text()
    data = json.loads(data_path.read_text())
    for entry in data["latest"]:
        del entry["id"], entry["updated"]
    data_path.write_text(json.dumps(data))
    execute_sql(published_copy, "DELETE FROM _sqlite_migrations WHERE name = 'm018_feed_ids'")
    Store.open_rw(published_copy).close()
    assert run_site("build").exit_code == 0
    assert feed_path.read_text() == before


def test_page_of_a_deleted_post_is_removed(published_copy: Path, run_site: SiteCommand) -> None:
    own_post = published_copy / "_posts" / "2026-01-02-own.md"
    own_post.write_text('---\nlayout: post\ntitle: "站长的话"\ndate: 2026-01-02 10:00:00 +0800\n---\n大家好\n')
    assert run_site("build").exit_code == 0
    assert "站长的话</h1>" in (published_copy / SITE_DIR / "2026-01-02-own.html").read_text()
    assert run_site("check").exit_code == 0
    own_post.unlink()
    assert run_site("build").exit_code == 0
    assert not (published_copy / SITE_DIR / "2026-01-02-own.html").exists()


def test_changed_layout_rebuilds_live_pages_and_archived_pages_with_all(
    published_copy: Path, run_site: SiteCommand
) -> None:
    layout = published_copy / "_layouts" / "default.html"
    layout.write_text(layout.read_text().replace("</main>", "</main><p>本站</p>"))
    result = run_site("build")
    assert "note: _layouts/default.html has your changes and was not updated" in result.stdout
    assert "`finews site build --all`" in result.stdout
    pages = read_site_files(published_copy / SITE_DIR)
    live_page = next(path for path in pages if re.search(r"NW\d+\.html$", path) and not re.match(r"202[12]/", path))
    assert "本站" in pages["index.html"].decode()
    assert "本站" in pages["category/zhongguonongwang.html"].decode()
    assert "本站" in pages[live_page].decode()
    assert "本站" not in pages[FIRST_PAGE].decode()
    assert "本站" in layout.read_text()
    result = run_site("build", "--all")
    assert "outdated theme" not in result.stdout
    assert "本站" in (published_copy / SITE_DIR / FIRST_PAGE).read_text()
    assert "本站" in (published_copy / FIRST_PAGE).read_text()


def test_category_aliases_redirect_to_category_pages(published_output: Path) -> None:
    for category in bundled_categories():
        page = (published_output / SITE_DIR / "category" / f"{category.slug}.html").read_text()
        assert f"<h1>{category.media.replace('&', '&amp;')}</h1>" in page
    redirect_page = (published_output / SITE_DIR / "category" / "dongfangcaifuChoiceshuju.html").read_text()
    assert 'content="0; url=/category/dongfangcaifuchoiceshuju.html"' in redirect_page
    assert (published_output / SITE_DIR / "category" / "21shijijingjibaodao 21caijingAPP.html").exists()


def test_redirect_does_not_overwrite_page_on_case_insensitive_disk(published_copy: Path, run_site: SiteCommand) -> None:
    page = published_copy / "category" / "dongfangcaifuchoiceshuju.html"
    redirect = page.with_name("dongfangcaifuChoiceshuju.html")
    redirect.unlink()
    redirect.hardlink_to(page)
    assert run_site("build").exit_code == 0
    assert redirect.samefile(page)
    assert 'layout: "list"' in page.read_text()
    redirect.unlink()
    assert run_site("build").exit_code == 0
    assert 'layout: "redirect"' in redirect.read_text()


def test_article_and_reprint_link_to_each_other(published_output: Path) -> None:
    (reprint,) = (published_output / SITE_DIR).rglob(f"*-NW*{REPRINT_CODE_SUFFIX}.html")
    (original,) = re.findall(r'其他媒体的同一报道.*?<a href="(/\d{4}/[^"]+)"', reprint.read_text(), re.DOTALL)
    assert "智通财经" in reprint.read_text()
    reprint_section = (published_output / SITE_DIR / original[1:]).read_text().partition("其他媒体的同一报道")[2]
    assert f'<a href="/{reprint.relative_to(published_output / SITE_DIR)}">' in reprint_section


def test_pages_of_an_older_release_are_rewritten(published_copy: Path, run_site: SiteCommand) -> None:
    page = published_copy / "category/zhongguonongwang.html"
    expected = page.read_bytes()
    page.write_text('---\nlayout: "list"\narticles: []\n---\n')
    connection = sqlite3.connect(published_copy / "news.db")
    with connection:
        connection.execute("CREATE INDEX articles_title ON articles(title)")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm009_pages_anew'")
    connection.close()
    Store.open_rw(published_copy).close()  # as a crawl does first
    assert run_site("build").exit_code == 0
    assert page.read_bytes() == expected


def test_stock_and_archive_pages(published_copy: Path, run_site: SiteCommand) -> None:
    connection = sqlite3.connect(published_copy / "news.db")
    with connection:
        connection.execute("INSERT INTO mentions SELECT code, '1.600160', 'stock', '巨化股份', 1 FROM articles LIMIT 5")
    connection.close()
    assert run_site("build", "--quiet").stdout == ""
    page = (published_copy / SITE_DIR / "stock/1.600160.html").read_text()
    assert '600160，<a href="https://quote.eastmoney.com/unify/r/1.600160">' in page
    assert '<a href="/stock/1.600160.html">巨化股份</a>' in (published_copy / SITE_DIR / "stock/index.html").read_text()
    assert '<a href="/2022/01/10/">01-10</a>' in (published_copy / SITE_DIR / "2022/index.html").read_text()
    assert '<a href="/2022/">2022</a>' in (published_copy / SITE_DIR / "archive.html").read_text()
    assert run_site("check").exit_code == 0


def test_home_and_day_page_list_articles_identically(published_output: Path) -> None:
    """Compare the list of the theme's `entries.html` with that of `pages`."""
    list_item = re.compile(r'<li><time .*<a class="media" .*</li>')
    home_items = list_item.findall((published_output / SITE_DIR / "index.html").read_text())
    days = (page.read_text() for page in (published_output / SITE_DIR).glob("2*/*/*/index.html"))
    assert home_items
    assert {*home_items} <= {item for day in days for item in list_item.findall(day)}


def test_deleted_site_is_rebuilt(published_copy: Path, run_site: SiteCommand) -> None:
    shutil.rmtree(published_copy / SITE_DIR)
    assert run_site("build", "--json").json["outdated_theme"] is False
    assert run_site("check").exit_code == 0


def test_plugins_see_the_whole_site(published_copy: Path, run_site: SiteCommand) -> None:
    plugin = published_copy / "_plugins" / "count.rb"
    plugin.parent.mkdir()
    plugin.write_text(
        "Jekyll::Hooks.register :site, :post_write do |site|\n"
        '  File.write(File.join(site.dest, "count.txt"), (site.posts.docs + site.static_files).size)\n'
        "end\n"
    )
    expected_count = len(post_paths(published_copy)) + len(list(published_copy.glob("2*/*/*/*NW*.html")))
    assert run_site("build").exit_code == 0
    assert int((published_copy / SITE_DIR / "count.txt").read_text()) > expected_count
    assert run_site("check").exit_code == 0


HOSTILE_POST = """\
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


def test_hostile_title_and_body_are_shown_as_text(
    published_copy: Path, run_site: SiteCommand, finews: CommandRunner, tmp_path: Path
) -> None:
    legacy_dir = tmp_path / "old"
    legacy_dir.mkdir()
    (legacy_dir / "2022-03-04-NW202203041234567890.md").write_text(HOSTILE_POST)
    assert finews("import", str(legacy_dir), "--output", str(published_copy)).exit_code == 0
    assert run_site("build").exit_code == 0
    page = (published_copy / SITE_DIR / "2022/03/04/2022-03-04-NW202203041234567890.html").read_text()
    assert "<script>" not in page
    assert "<h1>＜script＞alert(1)＜/script＞ {{ site.title }} &amp; &quot;x&quot;</h1>" in page
    assert "{{ site.title }} {% raw %}" in html.unescape(page)
    assert "<img" not in page
    assert '<a class="picture" href="https://np-newspic.dfcfw.com/a.jpg"' in page
    for name in ("2022/03/04/index.html", "category/zhongguonongwang.html"):
        list_page = (published_copy / SITE_DIR / name).read_text()
        assert "<script>" not in list_page
        assert "{{ site.title }} &amp; &quot;x&quot;" in list_page.replace("&#123;", "{")
    assert run_site("check").exit_code == 0


def test_theme_file_of_older_release_is_updated(published_copy: Path, run_site: SiteCommand) -> None:
    stylesheet, manifest = published_copy / "assets/site.css", published_copy / ".frame.json"
    newest = stylesheet.read_bytes()
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    manifest.write_text(re.sub(r'("assets/site.css": )"\w+"', rf'\1"{digest}"', manifest.read_text()))
    stylesheet.write_bytes(b"a")
    assert run_site("build", "--json").json["kept"] == []
    assert stylesheet.read_bytes() == newest


@pytest.mark.parametrize(
    ("break_site", "expected_message"),
    [
        (lambda output: (output / "_layouts/list.html").write_text("{% nonsense %}"), "Jekyll cannot build the site"),
        (lambda output: (output / "_config.yml").write_text("a: [b"), "_config.yml is not YAML"),
        (lambda output: (output / "_config.yml").write_text("keep_days: soon"), "'soon' is not a number of days"),
        (lambda output: (output / "_config.yml").write_text("keep_days: 999999"), "'999999' is not a number of days"),
    ],
)
def test_build_failure_is_one_line(
    published_copy: Path, run_site: SiteCommand, break_site: Callable[[Path], None], expected_message: str
) -> None:
    before = read_site_files(published_copy / SITE_DIR)
    break_site(published_copy)
    result = run_site("build")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(rf"finews: .*{re.escape(expected_message)}.*\n", result.stderr)
    assert read_site_files(published_copy / SITE_DIR) == before
    assert list(published_copy.glob(".stage-*")) == []


@pytest.mark.usefixtures("published_copy")
def test_missing_jekyll_message_says_how_to_install(run_site: SiteCommand, tmp_path: Path) -> None:
    result = run_site("build", "--all", PATH=str(tmp_path))
    assert result.exit_code == 1
    assert "apt-get install jekyll" in result.stderr


def test_build_during_a_crawl_exits_75(published_copy: Path, run_site: SiteCommand) -> None:
    with OutputDir.lock(published_copy):
        assert run_site("build").exit_code == 75


def test_all_legacy_posts_are_published(published_output: Path) -> None:
    names = {path.stem.rpartition("-")[2].removeprefix("NW") for path in LEGACY_POSTS_DIR.glob("202[12]-*.md")} - {
        "init"
    }
    all_paths = " ".join(read_site_files(published_output / SITE_DIR))
    assert len(names) == 8
    assert all(f"NW{name}.html" in all_paths for name in names)


HOSTILE_NAMES = (
    "../outside.html",
    "../../victim.html",
    "a/../../../victim.html",
    "linked/victim.html",
    "./../../victim.html",
    "",
    ".",
    "..",
    "\0",
    "\ud800.html",
    "a" * 5000,
    "linked",
    "category",
)


@pytest.mark.parametrize("key", ["sources", "others", "pages", "months"])
def test_record_of_a_build_names_nothing_outside_of_the_site(
    published_copy: Path, run_site: SiteCommand, tmp_path: Path, key: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victims = [tmp_path / "victim.html", published_copy / "outside.html", elsewhere / "victim.html"]
    for victim in victims:
        victim.write_text("somebody's")
    (published_copy / SITE_DIR / "linked").symlink_to(elsewhere)
    expected = read_site_files(published_copy / SITE_DIR)
    manifest = published_copy / SITE_DIR / ".finews.json"
    values = json.loads(manifest.read_text())
    names = [*HOSTILE_NAMES, str(victims[0]), f"//{victims[0]}", "_posts/../../victim.md", "_posts//../../../victim.md"]
    values[key] = dict.fromkeys(names, "1.1") if key in {"sources", "pages"} else [*names, 5, None, [], {}]
    manifest.write_text(json.dumps(values))
    result = run_site("build")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [victim.read_text() for victim in victims] == ["somebody's"] * 3
    assert expected.items() <= read_site_files(published_copy / SITE_DIR).items()


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "[" * 100_000, '{"sources": 5, "others": "x", "unknown": 1}'])
def test_record_that_is_none_has_the_site_built_again(
    published_copy: Path, run_site: SiteCommand, content: str
) -> None:
    expected = read_site_files(published_copy / SITE_DIR)
    (published_copy / SITE_DIR / ".finews.json").write_text(content)
    assert run_site("build").exit_code == 0
    assert read_site_files(published_copy / SITE_DIR) == expected


def test_link_in_the_built_site_is_not_followed(published_copy: Path, run_site: SiteCommand, tmp_path: Path) -> None:
    """Replace a symbolic link by a folder: through a link of another program, pages would be written elsewhere."""
    expected = read_site_files(published_copy / SITE_DIR)
    for name in ("category", "2022"):
        (published_copy / SITE_DIR / name).rename(tmp_path / name)
        (published_copy / SITE_DIR / name).symlink_to(tmp_path / name)
    victim = tmp_path / "victim.html"
    victim.write_text("somebody's")
    (published_copy / SITE_DIR / "index.html").unlink()
    (published_copy / SITE_DIR / "index.html").symlink_to(victim)
    before = read_site_files(tmp_path / "category")
    layout = published_copy / "_layouts" / "list.html"
    layout.write_text(layout.read_text() + "<!-- changed -->")
    assert run_site("build", "--all").exit_code == 0
    assert victim.read_text() == "somebody's"
    assert read_site_files(tmp_path / "category") == before
    assert set(read_site_files(published_copy / SITE_DIR)) == set(expected)
    assert not (published_copy / SITE_DIR / "category").is_symlink()
    assert run_site("check").exit_code == 0
