"""The set of codes that a crawl has met."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.crawl.policy.seen_codes import SeenCodes


@given(st.lists(st.integers(0, 400)), st.lists(st.integers(0, 400)))
def test_it_holds_what_a_set_holds(added: list[int], asked: list[int]) -> None:
    codes, plain = SeenCodes(), set[str]()
    for number in added:
        codes.add(f"{number:018}")
        plain.add(f"{number:018}")
    assert len(codes) == len(plain)
    assert [f"{number:018}" in codes for number in asked] == [f"{number:018}" in plain for number in asked]


def test_it_grows_without_losing_any() -> None:
    codes = SeenCodes()
    codes.update(f"{number:018}" for number in range(50_000))
    assert len(codes) == 50_000
    assert all(f"{number:018}" in codes for number in range(50_000))
    assert not any(f"{number:018}" in codes for number in range(50_000, 60_000))
