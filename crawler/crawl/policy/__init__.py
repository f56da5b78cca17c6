"""Crawl policy: the decisions of a crawl, as pure functions: no network, no disk, no clock."""
