"""SQL attacks on a running `finews serve` and their results, for `make attack` and the tests.

A reader, or a page of another site, can make a browser request each address.
"""

import http.client
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlencode, urlsplit

OTHER_SITE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OTHER_PORT = {**OTHER_SITE, "Sec-Fetch-Site": "same-site"}
# Headers of browsers from before 2020 to 2023.
OLD_BROWSER = {"Referer": "https://evil.example/page"}
OLD_BROWSER_ORIGIN = {"Origin": "null"}

# Text of any length from functions that are allowed.
LONG_TEXT = "printf('%.*c', 8000000, 'a')"


@dataclass(frozen=True)
class Attack:
    """A GET request. `is_sql`: it needs `--sql`; the others must be harmless without the option, too."""

    name: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    is_sql: bool = True


@dataclass(frozen=True)
class AttackResult:
    """Seconds until the response; its status, 0 if the connection broke; peak memory of server and children in MB."""

    status: int
    seconds: float
    body: str
    server_megabytes: float
    children_megabytes: float
    is_server_alive: bool


def _sql(name: str, sql: str, form: str = ".json", **params: str) -> Attack:
    return Attack(name, f"/news{form}?" + urlencode({"sql": sql, **params}))


def _doubling_ctes(levels: int) -> str:
    """Return a query of a few hundred characters whose parse tree has 2 ** levels parts."""
    steps = ", ".join(f"c{n} AS (SELECT 1 FROM c{n - 1} a, c{n - 1} b)" for n in range(1, levels))
    return f"WITH c0 AS (SELECT 1), {steps} SELECT count(*) FROM c{levels - 1}"


def _table(name: str, **params: str) -> Attack:
    return Attack(name, "/news/articles.json?" + urlencode(params), is_sql="_where" in params)


CRASHES = (
    _sql("fts3_tokenizer with a pointer", "SELECT fts3_tokenizer('simple', :pointer)", pointer="AAAAAAAA"),
    _sql("fts3_tokenizer with a BLOB", "SELECT fts3_tokenizer('simple', x'4141414141414141')"),
    _sql("fts3tokenize", "SELECT * FROM fts3tokenize WHERE input = 'a'"),
    _sql("fts3tokenize without a column", "SELECT count(*) FROM fts3tokenize('simple', 'a')"),
    _sql("load_extension", "SELECT load_extension('/tmp/evil.so')"),
)
FOREIGN = tuple(
    Attack(f"{kind}, {where}", path, headers)
    for kind, headers in (
        ("another site", OTHER_SITE),
        ("another port", OTHER_PORT),
        ("another site, old browser", OLD_BROWSER),
        ("no origin, old browser", OLD_BROWSER_ORIGIN),
    )
    for where, path in (
        ("sql=", "/news?sql=select+1"),
        ("sql= of JSON", "/news.json?a=b&sql=select+1"),
        ("sql= quoted", "/news.csv?s%71l=select+1"),
        ("_where=", "/news/articles?_where=1"),
    )
)
FORBIDDEN = (
    _sql("ATTACH", "WITH a AS (SELECT 1) ATTACH 'x.db' AS x"),
    _sql("DELETE", "WITH a AS (SELECT 1) DELETE FROM articles"),
    _sql("PRAGMA by a table", "SELECT * FROM pragma_journal_mode"),
    _sql("module_list", "SELECT * FROM pragma_module_list"),
    _sql("dbstat", "SELECT * FROM dbstat"),
    _sql("dbstat without a column", "SELECT count(*) FROM dbstat"),
    _sql("sqlite_dbpage", "SELECT * FROM sqlite_dbpage"),
    _sql("sqlite_stmt", "SELECT count(*) FROM sqlite_stmt"),
    _sql("fts5 pointer", "SELECT fts5(:pointer)", pointer="AAAAAAAA"),
    _sql("randomblob", "SELECT length(randomblob(900000000))"),
    _sql("zeroblob", "SELECT zeroblob(900000000)"),
    _sql("a second statement", "SELECT 1; SELECT 2"),
    _sql("changed schema", "SELECT * FROM pragma_schema_version WHERE arg = 5"),
    _table("_where= with a function", _where="fts3_tokenizer('simple') IS NOT NULL"),
    _table("_where= that ends the statement", _where="1) ; DELETE FROM articles --"),
)
SLOW = (
    _sql("endless", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"),
    _sql("endless, as CSV", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n", form=".csv"),
    _sql("endless, kept", "WITH RECURSIVE n(x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT count(*) FROM n"),
    _sql("instr in one step", f"WITH t AS (SELECT {LONG_TEXT} x) SELECT instr(x, substr(x, 2, 4000000) || 'b') FROM t"),
    _sql("replace in one step", f"WITH t AS (SELECT {LONG_TEXT} x) SELECT length(replace(x, substr(x, 9) || 'b', '')) FROM t"),
    _sql("LIKE in one step", f"SELECT {LONG_TEXT} LIKE '%' || substr({LONG_TEXT}, 1, 900) || 'b%'"),
    _sql("LIKE of many %", f"SELECT {LONG_TEXT} LIKE '{'%a_' * 300}b'"),
    _sql("GLOB of many *", f"SELECT {LONG_TEXT} GLOB '{'*a?' * 300}b'"),
    _sql("trim in one step", f"SELECT length(rtrim({LONG_TEXT}, 'b' || substr({LONG_TEXT}, 1, 4000000)))"),
    _sql("JSON of many keys", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 200000), "
         "t AS (SELECT json_group_object(x, x) j FROM n) SELECT count(*) FROM t, json_each(json_patch(j, j))"),
    _sql("JSON, deep", f"SELECT json_valid(replace({LONG_TEXT}, 'a', '['))"),
    _sql("doubling tables", _doubling_ctes(24)),
    _sql("doubling tables, more", _doubling_ctes(60)),
    _sql("cross join", "SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d, "
         "sqlite_master e, sqlite_master f"),
    _sql("sort of much", "SELECT a.name FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d ORDER BY random()"),
    _sql("search without end", "SELECT sum(length(finews_search('公司 OR 央行'))) FROM sqlite_master a, sqlite_master b, sqlite_master c"),
    _table("_where= in one step", _where=f"instr({LONG_TEXT}, substr({LONG_TEXT}, 2, 4000000) || 'b')"),
)  # fmt: skip
LARGE = (
    _sql("printf of a width", "SELECT printf('%*s', 900000000, 'a')"),
    _sql("printf of a precision", "SELECT printf('%.*c', 900000000, 'a')"),
    _sql("format of many", f"SELECT format('{'%*s' * 50}', {', '.join(['15000000, 1'] * 50)})"),
    _sql("hex that doubles", f"SELECT hex(hex(hex(hex({LONG_TEXT}))))"),
    _sql("replace that grows", f"SELECT length(replace({LONG_TEXT}, 'a', printf('%.*c', 100000, 'b')))"),
    _sql("many long columns", "SELECT " + ", ".join(["x"] * 150) + f" FROM (SELECT {LONG_TEXT} x)"),
    _sql("many long rows", f"SELECT {LONG_TEXT} x FROM sqlite_master a, sqlite_master b"),
    _sql("many long rows, kept", f"SELECT group_concat(x) FROM (SELECT {LONG_TEXT} x FROM sqlite_master a, sqlite_master b)"),
    _sql("many long rows, sorted", f"SELECT {LONG_TEXT} || a.name x FROM sqlite_master a, sqlite_master b ORDER BY x"),
    _sql("many cells", "SELECT " + ", ".join(["1"] * 1900) + " FROM sqlite_master a, sqlite_master b"),
    _sql("many cells as a page", "SELECT " + ", ".join(["1"] * 200) + " FROM sqlite_master a, sqlite_master b", form=""),
    _sql("a page as large as allowed", "SELECT " + ", ".join(["1"] * 60) + " FROM sqlite_master a, sqlite_master b", form=""),
    _sql("a table as large as allowed", f"SELECT substr({LONG_TEXT}, 1, 30000) FROM sqlite_master a, sqlite_master b", form=".csv"),
    _sql("JSON array of much", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT json_group_array(x) FROM n"),
    _sql("many tables kept", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 5000000), "
         "m AS MATERIALIZED (SELECT x, printf('%.1000c', 'a') y FROM n) SELECT count(DISTINCT y || x) FROM m"),
    _table("_where= of a width", _where="printf('%*s', 900000000, 'a') = ''"),
)  # fmt: skip
LONG_ADDRESSES = (
    _sql("SQL of 60,000 characters", "SELECT 1" + "+1" * 20_000),
    _sql("comments without end", "SELECT 1 " + "/*" * 15_000),
    _sql("comments without end, as allowed", "SELECT 1 " + "/*" * 2_400),
    _sql("deep expression", "SELECT " + "(" * 2_000 + "1" + ")" * 2_000),
    _sql("many UNIONs", "SELECT 1" + " UNION SELECT 1" * 300),
)
# Not SQL, but a part of the query.
WITHOUT_SQL = (
    _table("LIKE of many %", body_html__like="%a_" * 4_000 + "b"),
    _table("GLOB of many *", body_html__glob="*a?" * 4_000 + "b"),
    _table("many filters", title__contains="a", body_text__notlike="%公%司%" * 400),
    _table("many values", code__in=",".join(map(str, range(9_000)))),
    _table("a large number", revision__gt="9" * 400),
    _table("array of no JSON", _facet_array="body_html"),
    _table("column that is none", **{'a"]b__exact': "1"}),
    _table("search in any table", _search="a" * 1_000, _fts_table="search_pairs", _searchmode="raw"),
    _table("search that is no query", _search='" OR (', _fts_table="search_pairs", _searchmode="raw"),
    _table("through any table", _through='{"table":"mentions","column":"fts3_tokenizer(1)","value":"1"}'),
    _table("through nothing", _through="[" * 9_000),
    _table("time limit of a reader", _timelimit="999999"),
    _table("sort by anything", _sort="random()"),
    Attack("every row as CSV", "/news/entries.csv?_stream=1&_size=max", is_sql=False),
    Attack("canned query", "/news/search_articles.json?" + urlencode({"q": "公司 OR " * 900 + "央"}), is_sql=False),
    Attack("canned query with SQL", "/news/crawls.json?" + urlencode({"id": "1 UNION SELECT fts3_tokenizer('a')"}), is_sql=False),
)  # fmt: skip


# The worst attacks of each kind: the tests have no time for all slow and large ones.
WORST = {
    "endless", "instr in one step", "JSON of many keys", "doubling tables, more", "printf of a width",
    "many long columns", "many long rows", "many tables kept", "many cells as a page", "_where= in one step",
}  # fmt: skip


def attack(address: str, process_id: int, attack: Attack, *, timeout: float = 120.0) -> AttackResult:
    """Send one attack, then fetch the first page."""
    with _peak_memory(process_id) as peak:
        start = time.perf_counter()
        status, body = _get(address, attack.path, attack.headers, timeout)
        seconds = time.perf_counter() - start
    is_alive = _get(address, "/day", {}, timeout)[0] == 200
    return AttackResult(status, seconds, body, peak["server"], peak["children"], is_alive)


def _get(address: str, path: str, headers: Mapping[str, str], timeout: float) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=timeout)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


@contextmanager
def _peak_memory(process_id: int) -> Iterator[dict[str, float]]:
    """Measure the peak memory in MB of a process, and of its children together, while the block runs."""
    peak = {"server": 0.0, "children": 0.0}
    is_over = Event()

    def watch() -> None:
        is_first = True
        while is_first or not is_over.wait(0.01):
            is_first = False
            peak["server"] = max(peak["server"], _resident_megabytes(process_id))
            peak["children"] = max(peak["children"], sum(map(_resident_megabytes, _descendants(process_id))))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()


def _resident_megabytes(process_id: int) -> float:
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # it has ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _descendants(process_id: int) -> list[int]:
    """Return the children and grandchildren of a process: query processes are forks of a child."""
    children: list[int] = []
    with suppress(OSError):  # the process, or one of its threads, has ended
        for path in Path(f"/proc/{process_id}/task").glob("*/children"):
            children += map(int, path.read_text(encoding="ascii").split())
    return children + [grandchild for child in children for grandchild in _descendants(child)]
