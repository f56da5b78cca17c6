"""One module a site. To add a site, add a module here and a folder of recorded replies in tests/sites."""
