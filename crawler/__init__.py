"""finews: Eastmoney's listings and articles, as Jekyll posts and SQLite rows."""
