"""finews: a crawler of Chinese financial news that writes Jekyll posts and SQLite rows.

A package imports only from the packages below it in this list; sample_site shares nothing with the others:

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
"""The name of the distribution. It is not on PyPI, where `finews` is another project: printed and documented commands
install the checkout, a file or a commit, never a name that another project could register."""
