"""Find the articles that reprint each other."""
