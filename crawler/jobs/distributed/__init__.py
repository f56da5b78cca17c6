"""Many machines that fetch, one that records: a crawl whose replies come out of a queue.

    recorder: walk ─▶ request ─▶ [queue] ─▶ fetcher: manners, download ─▶ [queue] ─▶ recorder: read, row, post

The queue is procrastinate's, on PostgreSQL. docs/scale.md says why, and what holds when one of them is killed.
"""
