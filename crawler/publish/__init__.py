"""What readers see: the Jekyll site, the web view, feeds and exports."""
