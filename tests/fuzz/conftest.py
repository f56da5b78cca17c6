"""Collect the slowest fuzz tests only on request."""

import os

# Takes a minute: `make fuzz` runs it.
collect_ignore = [] if os.environ.get("FINEWS_FUZZ") else ["test_worst_bodies.py"]
