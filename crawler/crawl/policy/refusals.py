"""Refusals: replies with status 200 by which a source does not answer: an empty body, or a check for humans. Pure.

They are looked for in what could not be read as a listing or an article: news about these products name them, too.
"""

from collections.abc import Iterable

# By the products that sites are guarded with: Cloudflare, Jiasule, Aliyun, Geetest.
_CHALLENGE_MARKS = (
    "cf-turnstile", "_cf_chl_opt", "__jsl_clearance", "acw_sc__v2", "aliyunCaptcha", "aliyun_waf", "nc_1_n1z",
    "geetest",
)  # fmt: skip
_CHALLENGE_HEADER = "cf-mitigated"


def find_refusal(text: str, header_names: Iterable[str], site_marks: Iterable[str]) -> str:
    """Return why a reply that could not be read is a refusal; an empty text where it does not look like one.

    >>> find_refusal(" ", (), ()), find_refusal("<html><div id='geetest'></div></html>", (), ())
    ('an empty reply', 'a check for humans (geetest)')
    """
    text = text.lstrip("\ufeff \t\r\n\0")
    if not text:
        return "an empty reply"
    if any(name.lower() == _CHALLENGE_HEADER for name in header_names):
        return f"a check for humans ({_CHALLENGE_HEADER})"
    marks = (*site_marks, *_CHALLENGE_MARKS) if text.startswith("<") else ()
    mark = next((mark for mark in marks if mark in text), "")
    return f"a check for humans ({mark})" if mark else ""
