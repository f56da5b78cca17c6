"""Scrapy settings of each crawl; change them by `finews crawl --set NAME=VALUE` or `scrapy crawl -s NAME=VALUE`.

The settings of finews come first; each is read in one `from_crawler` and passed on as a value.
"""

from pathlib import Path

from scrapy.settings import default_settings as scrapy_defaults

# Folder of posts and database. Empty: an existing `output/`, else the folder in FINEWS_OUTPUT.
OUTPUT_DIR = ""
# URL of a server for all requests, with path and query unchanged. Empty: the hosts of the source.
MIRROR = ""
# Contact of the user for the operators of the source, in the user agent: a web page or a mail address.
CONTACT = ""
# URL of the published site without a scheme, such as //news.example.org, for the links of posts to its pages. Empty:
# that of the last crawl or build of the output folder, at first //finews.withounder.com.
SITE_ADDRESS = ""
# Whether to store the response of each article, compressed, for `finews replay`.
KEEP_RAW = False
# Seconds before the first retry of a failed request; each further retry waits twice as long.
RETRY_BACKOFF = 1.0

BOT_NAME = "finews"
SPIDER_MODULES = ["crawler.spiders"]
NEWSPIDER_MODULE = "crawler.spiders"
# `scrapy crawl` with the exit codes of `finews crawl`.
COMMANDS_MODULE = "crawler.cli.scrapy_commands"
# `scrapy genspider NAME DOMAIN` creates a spider of this project.
TEMPLATES_DIR = str(Path(__file__).parent / "cli" / "scrapy_commands" / "templates")

# See crawler/pipelines.py.
ITEM_PIPELINES = {
    "crawler.pipelines.KeepRawPipeline": 200,
    "crawler.pipelines.NormalisePipeline": 300,
    "crawler.pipelines.SavePipeline": 500,
}
EXTENSIONS = {
    "crawler.crawl.session.CrawlSession": 0,
    "crawler.crawl.site_updater.SiteUpdater": 10,
}
# Scrapy's own lists without two components that finews does not use: the web server that runs the code sent to it, and
# the cookies. Their imports take a quarter of the CPU of a crawl with nothing new, and `None` does not save these:
# Scrapy 2.19 imports every class in a list (`normalize_key` in scrapy/settings/__init__.py).
EXTENSIONS_BASE = {
    path: order for path, order in scrapy_defaults.EXTENSIONS_BASE.items() if not path.endswith(".RemoteControl")
}
DOWNLOADER_MIDDLEWARES_BASE = {
    path: order
    for path, order in scrapy_defaults.DOWNLOADER_MIDDLEWARES_BASE.items()
    if not path.endswith(".CookiesMiddleware")
}
# No port is opened by default.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

# Politeness. By default each spider sets the user agent to name, version and CONTACT, and fetches robots.txt first.
USER_AGENT = "finews"
ROBOTSTXT_OBEY = True
ROBOTSTXT_USER_AGENT = "finews"
# At most two concurrent requests to a site. Scrapy 2.19 applies the limit per domain only with a delay, and the total
# always.
CONCURRENT_REQUESTS_PER_DOMAIN = 2
CONCURRENT_REQUESTS = 2
# Seconds between two requests to a site, at least; up to half as much is added at random. The limit for five minutes is
# in crawler/crawl/policy/pace.py. 0 lifts every limit of the pace, for private mirrors.
DOWNLOAD_DELAY = 1.0
# Chinese sources respond in the requested language.
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN",
}
# Retries of a temporary failure. 429 (too many requests) is a refusal, and retried only with a Retry-After.
RETRY_TIMES = 2
RETRY_HTTP_CODES = [code for code in scrapy_defaults.RETRY_HTTP_CODES if code != 429]
# Replacements of Scrapy's own; crawler/middlewares.py gives the reasons.
DOWNLOADER_MIDDLEWARES = {
    "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
    "crawler.middlewares.AllowedOriginsMiddleware": 50,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "crawler.middlewares.RobotsMiddleware": 100,
    "scrapy.downloadermiddlewares.retry.RetryMiddleware": None,
    "crawler.middlewares.BackoffRetryMiddleware": 550,
    "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware": None,
    "crawler.middlewares.StrictDecompressionMiddleware": 590,
    "scrapy.downloadermiddlewares.httpproxy.HttpProxyMiddleware": None,
    "crawler.middlewares.EnvironmentProxyMiddleware": 750,
    "crawler.middlewares.PaceMiddleware": 950,
}
# The sources need neither cookies nor a Referer.
COOKIES_ENABLED = False
REFERER_ENABLED = False
# The sources redirect by HTTP status, not inside a page.
METAREFRESH_ENABLED = False
# Scrapy creates this many tasks for each response, and most responses have one article.
CONCURRENT_ITEMS = 1
# Seconds of one attempt, from connecting to the last byte.
DOWNLOAD_TIMEOUT = 20
# Seconds of one crawl, far more than a first crawl of all listings takes.
CLOSESPIDER_TIMEOUT = 6 * 3600
# Bytes of a decompressed response. Those of the source are below 1 MiB.
DOWNLOAD_MAXSIZE = 8 * 1024 * 1024
DOWNLOAD_WARNSIZE = 4 * 1024 * 1024
# Scrapy does not verify certificates by default.
DOWNLOAD_VERIFY_CERTIFICATES = True
# Redirects in a row; a longer chain is a loop.
REDIRECT_MAX_TIMES = 5
# Host names of sources must not resolve to private addresses.
TWISTED_DNS_RESOLVER = "crawler.crawl.public_dns.PublicResolver"
# Only http and https are fetched, whatever the target of a redirect.
DOWNLOAD_HANDLERS = {"data": None, "file": None, "ftp": None, "s3": None}

# The tracker records each duplicate entry; Scrapy's filter would drop their requests silently.
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"
# Articles are fetched in the order of their listings.
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
# The first pages of all listings are fetched before the second page of any.
SCHEDULER_START_MEMORY_QUEUE = None
# Requests stay in memory, with JOBDIR too: a request from disk would belong to an entry of another run. The next crawl
# lists the entries that a stopped one has not fetched again.
SCHEDULER_DISK_QUEUE = "scrapy.squeues.FifoMemoryQueue"
SCHEDULER_START_DISK_QUEUE = None
# With HTTPCACHE_ENABLED=1, failures are not cached, so a retry is a request.
HTTPCACHE_IGNORE_HTTP_CODES = [408, 429, 500, 502, 503, 504, 522, 524]

LOG_LEVEL = "INFO"
# Scrapy would read the source of a callback to warn of `return` in a generator, which mypy reports.
WARN_ON_GENERATOR_RETURN_VALUE = False
FEED_EXPORT_ENCODING = "utf-8"
# Scrapy's own write times without their offset, and the Python representation of objects into CSV.
FEED_EXPORTERS = {
    "csv": "crawler.crawl.feed_exporters.CsvExporter",
    "json": "crawler.crawl.feed_exporters.JsonExporter",
    "jsonlines": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "jsonl": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "jl": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "xml": "crawler.crawl.feed_exporters.XmlExporter",
}
