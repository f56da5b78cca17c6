"""Refusals with status 200: an empty body, or a check for humans. Pure.

Only responses that could not be parsed are searched: news about these products contain their names, too.
"""

from collections.abc import Iterable

# Marks of the products that protect sites: Cloudflare, Jiasule, Aliyun, Geetest.
_CHALLENGE_MARKS = (
    "cf-turnstile", "_cf_chl_opt", "__jsl_clearance", "acw_sc__v2", "aliyunCaptcha", "aliyun_waf", "nc_1_n1z",
    "geetest",
)  # fmt: skip
_CHALLENGE_HEADER = "cf-mitigated"


def find_refusal(text: str, header_names: Iterable[str], site_marks: Iterable[str]) -> str:
    """Return the kind of refusal that an unparsable response is; an empty string for no refusal.

    >>> find_refusal(" ", (), ()), find_refusal("<html><div id='geetest'></div></html>", (), ())
    ('an empty response', 'a check for humans (geetest)')
    """
    text = text.lstrip("\ufeff \t\r\n\0")
    if not text:
        return "an empty response"
    if any(name.lower() == _CHALLENGE_HEADER for name in header_names):
        return f"a check for humans ({_CHALLENGE_HEADER})"
    marks = (*site_marks, *_CHALLENGE_MARKS) if text.startswith("<") else ()
    mark = next((mark for mark in marks if mark in text), "")
    return f"a check for humans ({mark})" if mark else ""
