"""Theme installer: writes the theme, and updates each file that the user has not changed."""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from crawler.content.post_format import SiteLinks
from crawler.publish.jekyll.files import write_if_changed
from crawler.storage.post_files import read_if_file

# SHA-256 of each file as finews wrote it last, by path: a file with another hash was changed by the user.
_HASHES_FILE = ".frame.json"


def install_theme(output: Path, site_links: SiteLinks) -> list[str]:
    """Write the theme into an output folder, and return the files that the user has changed, which are kept.

    A missing file is written again. Raises OutputError.
    """
    try:
        loaded = json.loads(read_if_file(output / _HASHES_FILE) or b"{}")
    except ValueError:
        loaded = {}
    installed_hashes: dict[str, str] = loaded if isinstance(loaded, dict) else {}
    customised_files, new_hashes = [], {}
    for path, content in _iter_theme_files(site_links):
        current = read_if_file(output / path)
        if current is None or current == content or _sha256_hex(current) == installed_hashes.get(path):
            write_if_changed(output / path, content)
            new_hashes[path] = _sha256_hex(content)
        else:
            customised_files.append(path)
            new_hashes[path] = installed_hashes.get(path, "")
    write_if_changed(output / _HASHES_FILE, json.dumps(new_hashes, indent=1).encode())
    return customised_files


def find_missing_files(output: Path, site_links: SiteLinks) -> list[str]:
    """Return the paths of the theme's files that are missing."""
    return [path for path, _ in _iter_theme_files(site_links) if read_if_file(output / path) is None]


def _iter_theme_files(site_links: SiteLinks) -> Iterator[tuple[str, bytes]]:
    for path, content in _walk_resources(files("crawler").joinpath("publish/jekyll/theme"), ""):
        yield path, _fill_in_addresses(content, site_links) if path == "_config.yml" else content


def _walk_resources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda child: child.name):
        if entry.is_dir():
            yield from _walk_resources(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_bytes()


def _fill_in_addresses(content: bytes, site_links: SiteLinks) -> bytes:
    host, separator, path = site_links.address.removeprefix("//").partition("/")
    replacements = {
        "@URL@": f"https://{host}",
        "@BASEURL@": (separator + path).rstrip("/"),
        "@ADDRESS@": site_links.address,
    }
    text = content.decode()
    for placeholder, value in replacements.items():
        text = text.replace(placeholder, value.replace("\\", "\\\\").replace('"', '\\"'))
    return text.encode()


def _sha256_hex(content: bytes) -> str:
    return sha256(content).hexdigest()
