"""Scrapy settings for every crawl. `finews crawl --set NAME=VALUE` and `scrapy crawl -s NAME=VALUE` change them.

Our own names come first; each is read in one `from_crawler` and passed on as a value.
"""

from pathlib import Path

from scrapy.settings import default_settings as scrapy_defaults

# Where posts and database go. Empty: `output/` where one stands, else the folder that FINEWS_OUTPUT names.
OUTPUT_DIR = ""
# An address that every request goes to instead of the source's hosts, path and query unchanged. Empty: the source.
MIRROR = ""
# How the source's operators reach the user who runs this crawl: a page or a mail address, for the user agent.
CONTACT = ""
# The address of the published site, without a scheme, e.g. //news.example.org: posts link back to its pages. Empty: the
# one that the output folder was last crawled or built with, at first //finews.withounder.com.
SITE_ADDRESS = ""
# Whether the response of each article is stored, compressed, so that `finews replay` can extract it again.
KEEP_RAW = False
# Seconds before the first retry of a failed request; each later one waits twice as long.
RETRY_BACKOFF = 1.0

BOT_NAME = "finews"
SPIDER_MODULES = ["crawler.spiders"]
NEWSPIDER_MODULE = "crawler.spiders"
# `scrapy crawl` ends with the exit codes of `finews crawl`.
COMMANDS_MODULE = "crawler.cli.scrapy_commands"
# `scrapy genspider NAME DOMAIN` makes a spider that this project can run.
TEMPLATES_DIR = str(Path(__file__).parent / "cli" / "scrapy_commands" / "templates")

# The order of one article's steps; see crawler/pipelines.py.
ITEM_PIPELINES = {
    "crawler.pipelines.KeepRawPipeline": 200,
    "crawler.pipelines.NormalisePipeline": 300,
    "crawler.pipelines.SavePipeline": 500,
}
EXTENSIONS = {
    "crawler.crawl.session.CrawlSession": 0,
    "crawler.crawl.site_updater.SiteUpdater": 10,
}
# Scrapy's own lists, but for two components that finews does not use and that cost a crawl with nothing new a quarter
# of its CPU, by what they import (docs/performance.md): the web server that runs the code sent to it, and the cookies.
# Neither `None` nor a switch saves that: Scrapy 2.19 imports every class that a list names, those set to None, too
# (`normalize_key` in scrapy/settings/__init__.py).
EXTENSIONS_BASE = {
    path: order for path, order in scrapy_defaults.EXTENSIONS_BASE.items() if not path.endswith(".RemoteControl")
}
DOWNLOADER_MIDDLEWARES_BASE = {
    path: order
    for path, order in scrapy_defaults.DOWNLOADER_MIDDLEWARES_BASE.items()
    if not path.endswith(".CookiesMiddleware")
}
# No port is opened, unless the user asks for one.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

# Politeness. A crawl says who it is (name, version and CONTACT, unless this is changed), and asks robots.txt first.
USER_AGENT = "finews"
ROBOTSTXT_OBEY = True
ROBOTSTXT_USER_AGENT = "finews"
# Never more than two requests at one site. Scrapy 2.19 keeps a slot's bound only where there is a delay, and the bound
# for all of them always.
CONCURRENT_REQUESTS_PER_DOMAIN = 2
CONCURRENT_REQUESTS = 2
# The least time in seconds between two requests to one site; up to half as much is added at random, and in five minutes
# there are no more than crawler/crawl/policy/pace.py says. 0 lifts every limit of the pace: for mirrors of one's own.
DOWNLOAD_DELAY = 1.0
# Chinese sources answer in the language that is asked for.
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "zh-CN",
}
# A request that fails for a passing reason is sent twice more. "Too many requests" (429) is the source's refusal, and
# sent again only where it says when.
RETRY_TIMES = 2
RETRY_HTTP_CODES = [code for code in scrapy_defaults.RETRY_HTTP_CODES if code != 429]
# Ours take the place of Scrapy's where those fall short; crawler/middlewares.py says how.
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
# The sources need no cookies, and are not sent which page led to a request.
COOKIES_ENABLED = False
REFERER_ENABLED = False
# The sources redirect with HTTP statuses; a redirect inside a page would not be theirs.
METAREFRESH_ENABLED = False
# Scrapy makes this many tasks for each response, whatever it holds, and most hold one article. Spiders whose listings
# hold whole articles have more (crawler/spiders/base.py).
CONCURRENT_ITEMS = 1
# Seconds that one attempt may take from connecting to the last byte.
DOWNLOAD_TIMEOUT = 20
# Seconds that one crawl may take: far more than the first one of all listings does.
CLOSESPIDER_TIMEOUT = 6 * 3600
# The largest response in bytes, decompressed. The source's are below 1 MiB.
DOWNLOAD_MAXSIZE = 8 * 1024 * 1024
DOWNLOAD_WARNSIZE = 4 * 1024 * 1024
# Who answers must be who was asked.
DOWNLOAD_VERIFY_CERTIFICATES = True
# A longer chain is a loop.
REDIRECT_MAX_TIMES = 5
# The name of a source's host leads to the internet, and not into the user's own network.
TWISTED_DNS_RESOLVER = "crawler.crawl.public_dns.PublicResolver"
# Nothing but the web is ever fetched, whatever a redirect says.
DOWNLOAD_HANDLERS = {"data": None, "file": None, "ftp": None, "s3": None}

# The tracker deduplicates entries, and records each duplicate; Scrapy's filter of requests would drop them silently.
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"
# Articles in the order of their listings.
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
# The first pages of all listings before the second page of any.
SCHEDULER_START_MEMORY_QUEUE = None
# With JOBDIR, requests stay in memory too: the database knows what a stopped crawl still has to fetch, and the next one
# lists it again, whereas a request from disk would belong to an entry of another run.
SCHEDULER_DISK_QUEUE = "scrapy.squeues.FifoMemoryQueue"
SCHEDULER_START_DISK_QUEUE = None
# A retry is not answered with the failure that HTTPCACHE_ENABLED=1 stored.
HTTPCACHE_IGNORE_HTTP_CODES = [408, 429, 500, 502, 503, 504, 522, 524]

LOG_LEVEL = "INFO"
# mypy reports a callback that returns what it should yield; Scrapy would read its source for each response.
WARN_ON_GENERATOR_RETURN_VALUE = False
FEED_EXPORT_ENCODING = "utf-8"
# Scrapy's own write times without their offset, and Python's notation of objects into CSV.
FEED_EXPORTERS = {
    "csv": "crawler.crawl.feed_exporters.CsvExporter",
    "json": "crawler.crawl.feed_exporters.JsonExporter",
    "jsonlines": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "jsonl": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "jl": "crawler.crawl.feed_exporters.JsonLinesExporter",
    "xml": "crawler.crawl.feed_exporters.XmlExporter",
}
