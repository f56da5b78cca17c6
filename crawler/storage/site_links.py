"""Site links: the address of the site that the posts of an output folder link to."""

import re
from pathlib import Path

from crawler.content.post_format import SiteLinks
from crawler.storage import post_files

# Jekyll's configuration, in the output folder.
CONFIG_FILE = "_config.yml"
_DEFAULT_ADDRESS = "//finews.withounder.com"
# Bytes that are read; far more than any configuration has.
_MAX_CONFIG_SIZE = 1 << 20
# Matched without a YAML parser: the address must be found even if the file has errors elsewhere.
_ADDRESS_LINE = re.compile(r"""^address:[ \t]*(["']?)((?:https?:)?//[\w.:%~/-]+)\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)


def load_site_links(output: Path, address: str = "") -> SiteLinks:
    """Return the links of an output folder's posts to the given address, else to its own, else to the default.

    The folder's own address is in `_config.yml`: that of the last crawl or build, or the user's. Raises OutputError
    where the file cannot be read: the posts would get another address.
    """
    if address:
        return SiteLinks(address)
    content = post_files.read_if_file(output / CONFIG_FILE, _MAX_CONFIG_SIZE)
    match = _ADDRESS_LINE.search((content or b"").decode("utf-8", "replace"))
    return SiteLinks(match[2] if match else _DEFAULT_ADDRESS)
