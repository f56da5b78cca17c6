"""Spiders, one module per source. To add one, add a module and a folder of recorded responses in tests/sites."""
