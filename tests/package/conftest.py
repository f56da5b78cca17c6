"""Which tests of the package are collected."""

import os

# Installing all dependencies twice takes minutes: `make package-test` does it.
collect_ignore = [] if os.environ.get("FINEWS_PACKAGE") else ["test_built_package.py"]
