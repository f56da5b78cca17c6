"""Which fuzz tests are collected."""

import os

# It takes a minute: `make fuzz` runs it.
collect_ignore = [] if os.environ.get("FINEWS_FUZZ") else ["test_worst_bodies.py"]
