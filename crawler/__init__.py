"""finews: a crawler of Chinese financial news, which writes Jekyll posts and SQLite rows.

A package imports only from those below it, but for sample_site, which shares nothing with the others:

    items.py, errors.py, settings.py    the types of an article, the exceptions, the Scrapy settings
    spiders/         one module per source, and their base class
    middlewares.py   downloader middlewares: allowed origins, robots.txt, retry, strict decompression, proxies
    pipelines.py     item pipelines: keep the raw response, normalise, save
    crawl/           one crawl: runner, session, tracker, planner, progress; policy/ holds its pure decisions
    content/         pure functions on text: decode, JSON fields, HTML, dates, slugs, diff, post format
    storage/         one output folder: database, post files, lock, recovery; search/, reprints/
    publish/         what readers see: jekyll/ (site), web/ (Datasette), feeds, exports
    jobs/            the body of each command: verify, rebuild, import, replay, schedule; distributed/
    cli/             the `finews` command; scrapy_commands/ holds `scrapy crawl` and others
    sample_site/     a fake source for demo, tests and benchmarks
"""

DISTRIBUTION = "finews-crawler"
"""The name of the package that pip installs. `finews` on PyPI is another project, and this one is on no index: what is
printed or documented installs the checkout, a file or a commit, and never a name that somebody else could take."""
