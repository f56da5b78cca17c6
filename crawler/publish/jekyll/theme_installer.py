"""The frame around the posts: written once, and brought up to date as long as the user has not changed it."""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from crawler.content.post_format import Site
from crawler.publish.jekyll.files import content_of, keep

# What we wrote last, by path, as SHA-256: a file that is not like that is the user's.
_RECORD = ".frame.json"


def install(output: Path, site: Site) -> list[str]:
    """Put the frame into an output folder; the paths of the files that the user has changed, which stay as they are.

    A file that is gone is written again. Raises OutputError.
    """
    record = _record(output)
    kept, wrote = [], {}
    for path, content in _frame(site):
        there = content_of(output / path)
        if there is None or there == content or _digest(there) == record.get(path):
            keep(output / path, content)
            wrote[path] = _digest(content)
        else:
            kept.append(path)
            wrote[path] = record.get(path, "")
    keep(output / _RECORD, json.dumps(wrote, indent=1).encode())
    return kept


def _frame(site: Site) -> Iterator[tuple[str, bytes]]:
    for path, content in _shipped():
        yield path, _addressed(content, site) if path == "_config.yml" else content


def _shipped() -> Iterator[tuple[str, bytes]]:
    yield from _below(files("crawler").joinpath("publish/jekyll/theme"), "")


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            yield from _below(each, f"{prefix}{each.name}/")
        else:
            yield prefix + each.name, each.read_bytes()


def _addressed(content: bytes, site: Site) -> bytes:
    host, slash, path = site.address.removeprefix("//").partition("/")
    values = {"@URL@": f"https://{host}", "@BASEURL@": (slash + path).rstrip("/"), "@ADDRESS@": site.address}
    text = content.decode()
    for name, value in values.items():
        text = text.replace(name, value.replace("\\", "\\\\").replace('"', '\\"'))
    return text.encode()


def _record(output: Path) -> dict[str, str]:
    try:
        record = json.loads(content_of(output / _RECORD) or b"{}")
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
