"""Settings of `_config.yml`, which users may change, as `finews site` reads them."""

from importlib.resources import files
from pathlib import Path

import pytest

from crawler.errors import FatalError
from crawler.publish.jekyll.config import load_site_config
from tests.support.published_site import SiteCommand

THEME_CONFIG = files("crawler").joinpath("publish/jekyll/theme/_config.yml").read_text("utf-8")
PERMALINK = 'permalink: "/:path.html"\n'


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (THEME_CONFIG.replace(PERMALINK, "permalink: pretty\n"), "permalink is 'pretty'.*write that"),
        (THEME_CONFIG.replace(PERMALINK, "permalink: /:categories/:title/\n"), "permalink is '/:categories/:title/'"),
        (THEME_CONFIG.replace(PERMALINK, ""), "permalink is missing"),
        (f"{THEME_CONFIG}\ncollections:\n  posts:\n    permalink: date\n", "permalink of collections is 'date'.*remove it"),
        (THEME_CONFIG.replace("layout: post", "permalink: none"), "permalink of defaults is 'none'"),
    ],
)  # fmt: skip
def test_permalink_that_links_do_not_lead_to_is_refused(changed: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "_config.yml").write_text(changed, "utf-8")
    with pytest.raises(FatalError, match=rf"_config\.yml: {message}"):
        load_site_config(tmp_path)


def test_permalink_of_the_users_own_pages_is_theirs(tmp_path: Path) -> None:
    own = "  - scope:\n      path: about\n    values:\n      permalink: /about/\n"
    (tmp_path / "_config.yml").write_text(THEME_CONFIG.replace("defaults:\n", f"defaults:\n{own}"), "utf-8")
    assert load_site_config(tmp_path).keep_days is None


@pytest.mark.jekyll
@pytest.mark.parametrize("command", ["build", "check"])
def test_other_permalink_ends_the_command_with_one_line(
    command: str, published_copy: Path, run_site: SiteCommand
) -> None:
    config = published_copy / "_config.yml"
    config.write_text(config.read_text("utf-8").replace(PERMALINK, "permalink: pretty\n"), "utf-8")
    result = run_site(command)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "permalink is 'pretty', but links and feeds lead to permalink: \"/:path.html\"; write that" in result.stderr
