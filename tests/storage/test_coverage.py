"""Coverage: unproven walks are counted until one is proven."""

from crawler.storage import Store
from tests.support.stored_articles import NOW


def test_unproven_walks_in_a_row_are_counted_by_listing(store: Store) -> None:
    first, second = (store.runs.start("eastmoney", {}, NOW) for _ in range(2))
    assert store.coverage.add_unproven_walk(first, "eastmoney", "345") == 1
    assert store.coverage.add_unproven_walk(second, "eastmoney", "345") == 2
    assert store.coverage.add_unproven_walk(second, "eastmoney", "350") == 1
    store.coverage.forget_unproven_walks("eastmoney", "345")
    assert store.coverage.add_unproven_walk(second, "eastmoney", "345") == 1
    assert store.coverage.add_unproven_walk(second, "eastmoney", "350") == 2
