"""Static files are cached for a year, under names with a content hash."""

import re
import shutil
from pathlib import Path

import pytest

from lottery_system.web.static_files import version_of
from tests.conftest import Clock
from tests.web.conftest import Visitor

STATIC = Path(__file__).resolve().parents[2] / "static"
YEAR = "public, max-age=31536000, immutable"


def test_a_page_names_its_files_by_what_is_in_them_and_they_are_kept_for_a_year(
    clock: Clock, stranger: Visitor
) -> None:
    page = stranger.get("/how-it-works").text

    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert {Path(file).name for file in files} == {"lottery.css", "lottery.js", "ticket.svg"}
    for file in files:
        assert file.startswith(f"/static/v-{version_of(str(STATIC))}/")
        with stranger.get(file) as answer:
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, YEAR)
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/static/css/lottery.css", "/static/v-000000000000/css/lottery.css"]
)
def test_by_any_other_name_a_file_is_asked_for_again(
    clock: Clock, stranger: Visitor, path: str
) -> None:
    with stranger.get(path) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-cache"
        tag = answer.headers["ETag"]
    with stranger.get(path, headers={"If-None-Match": tag}) as again:
        assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["v-{version}/../../config/settings.py", "v-{version}/none.css", "v-{version}/", "v-", "../x"],
)
def test_what_is_no_file_of_the_folder_is_not_found(
    clock: Clock, stranger: Visitor, path: str
) -> None:
    answer = stranger.get("/static/" + path.format(version=version_of(str(STATIC))))

    assert answer.status_code == 404


def test_the_name_changes_with_any_byte_and_any_name(tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(STATIC, tmp_path / name))

    same, changed, renamed = copy("same"), copy("changed"), copy("renamed")
    (changed / "js" / "verifier" / "bytes.js").write_text("// another")
    (renamed / "css" / "lottery.css").rename(renamed / "css" / "other.css")

    versions = {version_of(str(folder)) for folder in (STATIC, same, changed, renamed)}
    assert len(versions) == 3
