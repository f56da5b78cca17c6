"""What stands beside a crawl, one file each, in Scrapy's idiom."""
