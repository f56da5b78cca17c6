"""Distributed crawling: many workers fetch, one coordinator records; requests and responses pass through a queue.

    coordinator: paginate ─▶ [queue] ─▶ worker: politeness, download ─▶ [queue] ─▶ coordinator: extract, row, post

The queue is procrastinate's, on PostgreSQL. docs/scale.md says why, and what holds when one of them is killed.
"""
