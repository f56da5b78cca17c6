"""The bodies that take longest to clean; collected if FINEWS_FUZZ is set."""

import pytest

from tests.support.long_bodies import WORST_BODIES, seconds_to_clean


@pytest.mark.parametrize("kind", WORST_BODIES)
def test_body_is_cleaned_in_seconds(kind: str) -> None:
    """Expect at most two seconds on the machine that the limits were chosen on."""
    assert seconds_to_clean(WORST_BODIES[kind]()) < 10
