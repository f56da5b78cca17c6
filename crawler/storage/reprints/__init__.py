"""Reprints: near-duplicate detection among the articles, by MinHash, and clusters of reprints."""
