"""Web view (`finews serve`): Datasette with our pages, charts, feeds, canned queries and request checks."""
