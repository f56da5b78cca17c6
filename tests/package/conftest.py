"""Collect the tests of the built package only on request."""

import os

# Two installations of all dependencies take minutes: `make package-test` runs it.
collect_ignore = [] if os.environ.get("FINEWS_PACKAGE") else ["test_built_package.py"]
