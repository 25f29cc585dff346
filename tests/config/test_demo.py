"""Demo storage: a demo and a real lottery never start on what is the other's."""

import os
from pathlib import Path

import pytest

import config
from config.demo import (
    MARKER,
    MARKER_TEXT,
    REFUSED,
    DemoRuns,
    NotADemo,
    empty_folder,
    lock_folder,
)
from config.settings import DEMO, ROOT

REAL = {
    "LOTTERY_DATABASE_URL": "postgresql://lottery@db/lottery",
    "LOTTERY_SECRET_KEY": "x" * 32,
    "LOTTERY_MARK": "/var/lib/elsewhere/mark",
    "LOTTERY_BEACON": "drand",
    "LOTTERY_ORGANISERS_SECOND_FACTOR": "on",
    "LOTTERY_URL": "https://lottery.example",
    "LOTTERY_TIMESTAMP_URLS": "https://calendar.example",
    "LOTTERY_MAIL_URL": "smtp://mail.example",
}


def load(storage: Path, **environ: str) -> config.Settings:
    return config.load({"LOTTERY_STORAGE": str(storage), **environ})


def load_demo(storage: Path, **environ: str) -> config.Settings:
    return load(storage, LOTTERY_DEMO="on", **environ)


@pytest.fixture
def demo_folder(tmp_path: Path) -> Path:
    """Return the folder of a demo."""
    return load_demo(tmp_path / "demo").storage


def files_of(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


def test_a_demo_has_folder_database_and_name_of_its_own(tmp_path: Path) -> None:
    settings = load_demo(tmp_path / "demo")

    assert settings.demo
    assert settings.name == "demo.lottery.local"
    assert settings.database_file == tmp_path / "demo" / "lottery.db"
    assert (tmp_path / "demo" / MARKER).read_text() == MARKER_TEXT
    assert DEMO["LOTTERY_STORAGE"] == str(ROOT / "storage" / "demo")
    assert load_demo(tmp_path / "demo") == settings


def test_whatever_is_no_demo_is_a_real_lottery(tmp_path: Path) -> None:
    assert not load(tmp_path).demo
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LOTTERY_ENV": "production"}, "LOTTERY_ENV is production: a demo is never a real"),
        ({"LOTTERY_NAME": "lottery.example"}, "the name of a demo begins with 'demo.'"),
        *(({name: value}, f"{name} is given: a demo ") for name, value in REAL.items()),
    ],
)
def test_a_demo_takes_no_setting_of_a_real_lottery(
    environ: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(config.SettingsError) as error:
        load_demo(tmp_path / "demo", **environ)

    assert says in str(error.value)
    assert not (tmp_path / "demo").exists()


def test_each_setting_that_a_demo_refuses_is_tried_here() -> None:
    assert REAL.keys() == REFUSED.keys()


@pytest.mark.parametrize(
    "files",
    [
        {"lottery.db": "rows"},
        {"log_key": "key", "chain_tip": "tip"},  # of a lottery on PostgreSQL
        {MARKER: "What I want to show at the meeting\n"},
        {MARKER: "", "mark": ""},
    ],
)
def test_a_folder_of_something_else_is_refused_and_left_as_it_is(
    files: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    before = files_of(tmp_path)

    with pytest.raises(config.SettingsError, match="is no demo's: it has other files, such as"):
        load_demo(tmp_path)
    with pytest.raises(NotADemo):
        empty_folder(tmp_path)

    assert files_of(tmp_path) == before


def test_a_link_to_the_folder_of_a_real_lottery_is_refused(tmp_path: Path) -> None:
    load(tmp_path / "real")
    (tmp_path / "demo").symlink_to(tmp_path / "real")

    with pytest.raises(config.SettingsError, match="is no demo's"):
        load_demo(tmp_path / "demo")


def test_a_link_in_its_folder_to_the_database_of_a_real_lottery_is_refused(
    demo_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "lottery.db").write_text("rows")
    (demo_folder / "lottery.db").symlink_to(tmp_path / "lottery.db")

    with pytest.raises(config.SettingsError, match="is a link: a demo keeps its files"):
        load_demo(demo_folder)


def test_what_a_start_that_was_killed_left_is_nothing_of_something_else(tmp_path: Path) -> None:
    (tmp_path / f".{MARKER}.k1ll3d").touch()

    assert load_demo(tmp_path).demo


def test_a_real_lottery_refuses_the_folder_of_a_demo(demo_folder: Path) -> None:
    before = files_of(demo_folder)

    with pytest.raises(config.SettingsError, match="belongs to a demo, whose files `make demo`"):
        load(demo_folder)

    assert files_of(demo_folder) == before


@pytest.mark.parametrize(
    "environ",
    [
        {"LOTTERY_DATABASE_URL": "sqlite:///{demo}/lottery.db"},
        {"LOTTERY_DATABASE_URL": "sqlite:///{real}/link.db"},
        {"LOTTERY_MARK": "{demo}/mark"},
        {"LOTTERY_NAME": "demo.lottery.local"},
    ],
)
def test_a_real_lottery_refuses_anything_of_a_demo(
    environ: dict[str, str], demo_folder: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "link.db").symlink_to(demo_folder / "lottery.db")
    given = {name: value.format(demo=demo_folder, real=real) for name, value in environ.items()}

    with pytest.raises(config.SettingsError, match="demo"):
        load(real, **given)

    assert not (real / "secret_key").exists()


def test_the_database_that_a_link_leads_to_counts_as_where_it_is(
    demo_folder: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "lottery.db").symlink_to(demo_folder / "lottery.db")

    with pytest.raises(config.SettingsError, match="belongs to a demo"):
        load(real)


def test_emptying_deletes_the_files_of_the_demo_and_nothing_else(
    demo_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (demo_folder / "link").symlink_to(tmp_path / "elsewhere")
    (demo_folder / "lottery.db").write_text("rows")
    (demo_folder / "folder").mkdir()
    (demo_folder / "folder" / "file").write_text("kept")

    empty_folder(demo_folder)

    assert sorted(each.name for each in demo_folder.iterdir()) == [MARKER, "folder"]
    assert (demo_folder / "folder" / "file").read_text() == "kept"
    assert (tmp_path / "elsewhere").read_text() == "kept"


def test_a_demo_is_not_played_while_it_is_served_nor_served_while_it_is_played(
    demo_folder: Path,
) -> None:
    servers = [lock_folder(demo_folder, alone=False) for _ in range(2)]
    with pytest.raises(DemoRuns, match="is in use: stop it first"):
        lock_folder(demo_folder, alone=True)
    for each in servers:
        os.close(each)

    player = lock_folder(demo_folder, alone=True)
    with pytest.raises(DemoRuns):
        lock_folder(demo_folder, alone=False)
    os.close(player)
