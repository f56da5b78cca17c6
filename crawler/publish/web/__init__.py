"""What `finews serve` adds to Datasette: pages, charts, feeds, canned queries, and a guard at the door."""
