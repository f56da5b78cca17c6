"""Runs: records of crawls, and the outcome of every entry."""

import json
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.items import Outcome, Reason, RunOutcome
from crawler.storage import Store
from tests.support.database import Query, tuple_query_function
from tests.support.stored_articles import DEFAULT_CODE, LATER, NOW, create_article, save_article

SUM_OF_OUTCOMES = " + ".join(f'"{outcome}"' for outcome in Outcome)


def assert_outcomes_add_up(query_store: Query) -> None:
    assert query_store(f"SELECT id FROM runs WHERE finished_at IS NOT NULL AND listed != {SUM_OF_OUTCOMES}") == []  # noqa: S608  # ours
    for outcome in Outcome:
        sql = f"""
            SELECT id FROM runs WHERE finished_at IS NOT NULL AND "{outcome}" !=
            (SELECT count(*) FROM entries WHERE run_id = runs.id AND entries.outcome = ?)
        """  # noqa: S608  # our own words only
        assert query_store(sql, str(outcome)) == []


def test_run_has_spider_arguments_and_start(store: Store) -> None:
    run_id = store.runs.start("eastmoney", {"category": "中国农网"}, NOW)
    run = store.runs.get(run_id)
    assert (run["spider"], json.loads(run["arguments"])) == ("eastmoney", {"category": "中国农网"})
    assert "中国农网" in run["arguments"]
    assert (run["started_at"], run["finished_at"], run["outcome"]) == ("2022-01-10T17:00:00+08:00", None, None)


def test_first_outcome_of_an_entry_is_kept(store: Store, query_store: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    first, second = store.runs.add_entries(
        run_id,
        [
            (DEFAULT_CODE, "350", None, None, ""),
            (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "listed already"),
        ],
    )
    store.runs.set_outcome(first, Outcome.NEW, Reason.SCRAPED)
    store.runs.set_outcome(first, Outcome.FAILED, Reason.BUG, "too late")
    store.runs.set_outcome(second, Outcome.NEW, Reason.SCRAPED)
    assert query_store("SELECT id, outcome, reason, detail FROM entries ORDER BY id") == [
        (first, "new", "scraped", ""),
        (second, "duplicate", "listed_twice", "listed already"),
    ]


def test_outcome_is_committed_at_once(store: Store, query_store: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    (entry_id,) = store.runs.add_entries(run_id, [(DEFAULT_CODE, "350", None, None, "")])
    assert query_store("SELECT outcome, reason FROM entries") == [(None, None)]
    store.runs.set_outcome(entry_id, Outcome.QUARANTINED, Reason.REJECTED, "the title is empty")
    assert query_store("SELECT outcome, reason, detail FROM entries") == [
        ("quarantined", "rejected", "the title is empty")
    ]


def test_open_entries_fail_when_the_run_is_closed(store: Store, query_store: Query) -> None:
    run_id = store.runs.start("eastmoney", {}, NOW)
    store.runs.add_entries(
        run_id,
        [(DEFAULT_CODE, "350", None, None, ""), ("", "350", Outcome.QUARANTINED, Reason.UNREADABLE, "blank row")],
    )
    store.runs.fail_open_entries(run_id, "the crawl ended before its answer came")
    assert store.runs.entry_counts(run_id)["failed"] == 1
    assert query_store("SELECT reason FROM entries ORDER BY id") == [("interrupted",), ("unreadable",)]
    store.runs.finish(run_id, RunOutcome.PARTIAL, LATER, "why")
    run = store.runs.get(run_id)
    assert (run["outcome"], run["finished_at"], run["detail"]) == ("partial", "2022-01-10T18:00:00+08:00", "why")
    assert (run["listed"], run["failed"], run["quarantined"]) == (2, 1, 1)
    assert_outcomes_add_up(query_store)


OPTIONAL_OUTCOMES = st.none() | st.sampled_from(list(Outcome))


@given(runs=st.lists(st.lists(st.tuples(OPTIONAL_OUTCOMES, OPTIONAL_OUTCOMES), max_size=12), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_listed_equals_the_sum_of_outcomes(
    shared_store: Store, shared_folder: Path, runs: list[list[tuple[Outcome | None, Outcome | None]]]
) -> None:
    open_runs = []
    for entries in runs:
        run_id = shared_store.runs.start("eastmoney", {}, NOW)
        rows = [
            (f"{DEFAULT_CODE}{index}", "350", first_outcome, Reason.SCRAPED if first_outcome else None, "")
            for index, (first_outcome, _) in enumerate(entries)
        ]
        ids = shared_store.runs.add_entries(run_id, rows)
        for entry_id, (_, later_outcome) in zip(ids, entries, strict=True):
            if later_outcome:
                shared_store.runs.set_outcome(entry_id, later_outcome, Reason.SCRAPED)
        open_runs.append((run_id, len(entries)))
    for run_id, length in open_runs:
        shared_store.runs.fail_open_entries(run_id, "no answer")
        shared_store.runs.finish(run_id, RunOutcome.DONE, LATER)
        assert shared_store.runs.get(run_id)["listed"] == length
    assert_outcomes_add_up(tuple_query_function(shared_folder / "news.db"))


def test_runs_of_killed_crawls_are_closed_once(store: Store, query_store: Query) -> None:
    killed_runs = [store.runs.start("eastmoney", {}, NOW) for _ in range(2)]
    store.runs.add_entries(
        killed_runs[0],
        [(DEFAULT_CODE, "350", None, None, ""), (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, "")],
    )
    finished_run = store.runs.start("flash", {}, NOW)
    store.runs.finish(finished_run, RunOutcome.DONE, NOW)
    assert store.runs.open_run_ids() == killed_runs
    store.runs.finish_interrupted_runs(LATER)
    assert store.runs.open_run_ids() == []
    store.runs.finish_interrupted_runs(LATER + timedelta(hours=1))
    assert {store.runs.get(run_id)["finished_at"] for run_id in killed_runs} == {"2022-01-10T18:00:00+08:00"}
    assert query_store("SELECT outcome, listed, failed, duplicate FROM runs ORDER BY id") == [
        ("interrupted", 2, 1, 1),
        ("interrupted", 0, 0, 0),
        ("done", 0, 0, 0),
    ]
    assert store.runs.get(finished_run)["finished_at"] == "2022-01-10T17:00:00+08:00"
    assert_outcomes_add_up(query_store)


def test_closing_a_run_adds_its_columns(store: Store) -> None:
    save_article(store, create_article(columns=("350",)))
    run_id = store.runs.start("eastmoney", {}, NOW)
    rows: list[tuple[str, str, Outcome | None, Reason | None, str]] = [
        (DEFAULT_CODE, "350", Outcome.UNCHANGED, Reason.NOT_MODIFIED, ""),
        (DEFAULT_CODE, "355", Outcome.DUPLICATE, Reason.LISTED_TWICE, ""),
        ("5" * 18, "344", Outcome.FILTERED, Reason.OVER_LIMIT, ""),
    ]  # fmt: skip
    store.runs.add_entries(run_id, rows)
    store.runs.finish(run_id, RunOutcome.DONE, LATER)
    assert store.articles.column_ids(DEFAULT_CODE) == ["350", "355"]


def test_latest_runs_come_first(store: Store) -> None:
    ids = [store.runs.start("eastmoney", {}, NOW) for _ in range(3)]
    assert [run["id"] for run in store.runs.latest(2)] == [ids[2], ids[1]]


def test_listed_codes_are_read_from_the_runs_entries_only(store: Store) -> None:
    earlier = store.runs.start("eastmoney", {}, NOW)
    store.runs.add_entries(earlier, [("1", "350", Outcome.NEW, Reason.SCRAPED, "")])
    before = store.runs.last_entry_id()
    run = store.runs.start("eastmoney", {}, NOW)
    assert store.runs.find_listed(before, "350", ["1", "2"]) == (set(), set())
    store.runs.add_entries(
        run,
        [
            ("2", "350", None, None, ""),
            ("3", "344", Outcome.UNCHANGED, Reason.NOT_MODIFIED, ""),
            ("4", "350", Outcome.FILTERED, Reason.OTHER_CATEGORY, ""),
            ("5", "350", Outcome.FILTERED, Reason.NO_BODY, ""),
        ],
    )
    listed = store.runs.find_listed(before, "350", ["1", "2", "3", "4", "5", "6"])
    assert listed.in_run == {"2", "3", "5"}, "what its listing filtered may be wanted as another one lists it"
    assert listed.in_column == {"2", "4", "5"}


def test_lookup_cost_does_not_grow_with_earlier_runs(store: Store) -> None:
    """Use the index on code and id: SQLite seeks to the crawl's first entry."""
    plan = store.connection.execute(
        "EXPLAIN QUERY PLAN SELECT 1 FROM entries WHERE code = 'x' AND id > 5 AND column_id = '350'"
    ).fetchall()
    assert "code=? AND rowid>?" in plan[0][3]
