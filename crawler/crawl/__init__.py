"""One crawl: runner, session, tracker, coverage, planner, progress; policy/ holds its pure decisions."""
