"""Full-text search: an index of bigrams, a query language, snippets with highlights."""
