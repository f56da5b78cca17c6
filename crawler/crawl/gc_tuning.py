"""Garbage collector tuning for crawls."""

import gc


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection, and collect less often: saves CPU in each crawl."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
