"""Articles and posts for tests, plain and hostile, and the posts of the old site."""

import html
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from crawler import sample_site
from crawler.content import json_fields
from crawler.content.categories import MAX_MEDIA_NAME_CHARS, bundled_categories
from crawler.content.dates import CHINA_TZ
from crawler.content.normalise import MAX_TITLE_CHARS
from crawler.content.post_format import SiteLinks
from crawler.content.unicode_text import clean_title
from crawler.items import NO_COLUMN, ListingEntry, Post, RawArticle, RawResponse

LEGACY_POSTS_DIR = Path(sample_site.__file__).parent / "posts"
RECORDED_DIR = Path(sample_site.__file__).parent / "recorded"
SITE_LINKS = SiteLinks("//finews.withounder.com")
FETCHED_AT = datetime(2026, 11, 24, 12, 0, tzinfo=CHINA_TZ)
URL_TEMPLATES = (
    "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW{}",
    "https://finance.eastmoney.com/a/{}.html",
    "https://caifuhao.eastmoney.com/news/{}",
)
HOSTILE_MEDIA_NAMES = (
    "每日经济", "每日经济新闻", "新闻", "新闻新闻", "央视 新闻", "Career In 投行PEVC", "漯河日报", "陕西日报", "陕西日报新闻", "上期所",
    "上期所新闻", "Techweb", "TechWeb", "重 庆日报", "重庆某报", "重 庆某报", "999", "yes", "null", "信文", "信文新闻", "···", "···新闻",
    "a: b", "a #b", "- a", "{{ a }}", "{% a %}", "{: .a}", "a b c", "[a](b)", "*a*", "'a'", '"a"', "a\\", "🦊", "重" * 40, "重" * 38 + "新闻",
    "长" * 24, "长" * 24 + "新闻", "---", "&amp;amp;", "ＡＢＣ", "abc", "东方财富网", "no", "0x1f",
)  # fmt: skip
MEDIA_NAMES = st.sampled_from([*HOSTILE_MEDIA_NAMES, *(known.media for known in bundled_categories())]) | st.text(
    max_size=20
)
MEDIA_NAMES_WITH_SUFFIX = st.builds(
    lambda name, more: name + more, MEDIA_NAMES, st.sampled_from(["", "新闻", "新闻网", " 新闻"])
)
TITLES = st.sampled_from(
    [
        '"',
        "\\",
        'a\\"b',
        "---",
        "a: b",
        "#",
        "😀",
        "👨‍👩‍👧 全家",
        "{{ a }}",
        "<b>",
        "\ud800a",
        "a\r\nb",
        "- a",
        "'",
        "~",
        "2022-01-10",
    ]
) | st.text(min_size=1, max_size=60)
BODIES = st.sampled_from(
    [
        "<p>正文</p>",
        "正文\n\n<http://a>\n\n[返回](b)",
        "<p>---</p>",
        "---\nlayout: post\n---\n",
        "<pre>a\n\n\n---\n</pre>",
        "<p>甲</p>" * 600,
        '<p><a href="https://quote.eastmoney.com/unify/r/1.600160">巨化</a>{{ a }}</p>',
    ]
) | st.text(min_size=1, max_size=80)
DEFAULT_LEGACY_CODE = "202203041234567890"
SHARE_PAGE_URL = "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW"
# Half an hour after midnight in China is the day before on a machine in UTC.
_FIRST_PUBLISHED = datetime(2022, 1, 10, 0, 30, tzinfo=CHINA_TZ)


def create_raw_article(
    media_name: str,
    title: str = "标题",
    body: str = "<p>正文</p>",
    url: str = URL_TEMPLATES[0],
    minutes: int = 0,
    code: str = "202201102242171631",
) -> RawArticle:
    entry = ListingEntry(code, title, FETCHED_AT - timedelta(minutes=minutes), NO_COLUMN, url.format(code), media_name)
    return RawArticle(
        entry,
        body=body,
        spider="choice",
        default_media="东方财富网",
        fetched_at=FETCHED_AT,
        response=RawResponse(url, "text/html", b""),
    )


def render_legacy_post(**changes: str) -> str:
    fields = {
        "title": '"标题"', "date": "2022-03-04 12:34:56 +0800", "categories": "zhongguonongwang", "tags": "中国农网新闻",
        "body": "<p>正文</p>", "link": f"{SHARE_PAGE_URL}{DEFAULT_LEGACY_CODE}", "back": "\n\n[返回](//a/)｜[返回首页](//b/)", **changes,
    }  # fmt: skip
    front_matter = "".join(f"{name}: {fields[name]}\n" for name in ("title", "date", "categories", "tags"))
    return f"---\nlayout: post\n{front_matter}---\n{fields['body']}\n\n<{fields['link']}>{fields['back']}"


def create_hostile_article(text: str, number: int) -> RawArticle:
    """Return an article with a string as title, media and summary, and in the body as text and as markup."""
    text = json_fields.parse_json(json.dumps({"text": text}))["text"]
    code = f"{202201100000000000 + number}"
    entry = ListingEntry(
        code=code,
        # A text that is too long for a title is only in the body.
        title=text if 0 < len(clean_title(text)) <= MAX_TITLE_CHARS else "题" + text[:200],
        published=_FIRST_PUBLISHED + timedelta(minutes=37 * number),
        column="350",
        url=f"https://finance.eastmoney.com/a/{code}.html",
        media=text if len(clean_title(text)) <= MAX_MEDIA_NAME_CHARS else "",
        summary=text,
    )
    return RawArticle(
        entry,
        body=f"<p>始</p><p>{html.escape(text)}</p>{text}",
        spider="eastmoney",
        default_media="东方财富网",
        fetched_at=datetime(2023, 1, 10, tzinfo=CHINA_TZ),
    )


def create_post(**changes: Any) -> Post:
    fields: dict[str, Any] = {
        "code": "202201102242171631",
        "title": "山西运城：固好脱贫成果 启好振兴之路",
        "published_at": datetime(2022, 1, 10, 16, 20, 36, tzinfo=CHINA_TZ),
        "category": "zhongguonongwang",
        "media": "中国农网",
        "body_html": "<p>正文</p>",
        "url": "http://finews.zning.xyz/html_News/NewsShare.html?infoCode=NW202201102242171631",
    }
    return Post(**{**fields, **changes})
