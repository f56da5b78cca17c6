"""Site links: the address that the posts of an output folder link back to."""

import re
from pathlib import Path

from crawler.content.post_format import SiteLinks
from crawler.storage import post_files

# The configuration of the published site, below the output folder.
CONFIG_FILE = "_config.yml"
_DEFAULT_ADDRESS = "//finews.withounder.com"
# Bytes; a file that is longer is not read to its end.
_MAX_CONFIG_SIZE = 1 << 20
# A line of its own, which needs no YAML: a file that is broken elsewhere still says what its posts link back to.
_ADDRESS_LINE = re.compile(r"""^address:[ \t]*(["']?)((?:https?:)?//[\w.:%~/-]+)\1[ \t]*(?:#.*)?\r?$""", re.MULTILINE)


def load_site_links(output: Path, address: str = "") -> SiteLinks:
    """The site that an output folder's posts link back to: the address that is given, else its own, else the default.

    A folder's own is the one that it was last crawled or built with, or that the user wrote into `_config.yml`. Raises
    OutputError where that cannot be read: the posts would get another address.
    """
    return SiteLinks(address or _find_own_address(output) or _DEFAULT_ADDRESS)


def _find_own_address(output: Path) -> str:
    """Return the stored address; empty where there is none that a post could hold. Raises OutputError."""
    content = post_files.read_if_file(output / CONFIG_FILE, _MAX_CONFIG_SIZE)
    match = _ADDRESS_LINE.search((content or b"").decode("utf-8", "replace"))
    return match[2] if match else ""
