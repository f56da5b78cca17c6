"""Publishing: the Jekyll site, the web view, feeds and exports."""
