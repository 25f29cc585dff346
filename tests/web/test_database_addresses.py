"""Database addresses in real spellings: the pages work on them."""

from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text

import config
from tests.conftest import Clock, running, settings_for
from tests.stand_ins.log_keys import keep_keys
from tests.stand_ins.ports import free_port
from tests.web.conftest import Visitor


def sign_up(settings: config.Settings) -> None:
    """Sign dana up on an application with the newest schema."""
    with running(settings) as app:
        with app.app_context():
            upgrade()
        visitor = Visitor(app.test_client())
        assert visitor.post("/signup", username="dana", password="correct horse").status_code == 303
        assert "dana" in visitor.get("/account").text


def usernames(address: str) -> list[str]:
    engine = create_engine(address)
    with engine.connect() as connection:
        found = list(connection.scalars(text("SELECT username FROM users")))
    engine.dispose()
    return found


@pytest.mark.parametrize("name", ["quest?ion", "per%cent", "per%41", "has#h", "sp ace", "ü:@&=+"])
def test_a_folder_of_any_name_holds_the_database(clock: Clock, tmp_path: Path, name: str) -> None:
    storage = tmp_path / name
    storage.mkdir()
    keep_keys(storage)

    sign_up(config.load({"LOTTERY_ENV": "testing", "LOTTERY_STORAGE": str(storage)}))

    assert (storage / "lottery.db").is_file()
    assert [file.name for file in tmp_path.iterdir() if file.name != "clock"] == [name]


def test_an_address_of_a_file_has_its_signs_escaped(clock: Clock, tmp_path: Path) -> None:
    keep_keys(tmp_path)
    address = f"sqlite:///{tmp_path}/a%3Fb%25c.db"

    sign_up(settings_for(address, LOTTERY_STORAGE=str(tmp_path)))

    assert (tmp_path / "a?b%c.db").is_file()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("asked", ["read-write", "primary"])
@pytest.mark.parametrize(
    "form",
    [
        "postgresql://lottery@127.0.0.1:{closed},127.0.0.1:{port}/{name}?target_session_attrs={asked}",
        "postgresql+psycopg://lottery@[::1]:{closed},127.0.0.1:{port}/{name}"
        "?connect_timeout=3&target_session_attrs={asked}",
        "postgresql://lottery@/{name}?host=127.0.0.1:{closed}&host=127.0.0.1:{port}"
        "&target_session_attrs={asked}",
        "postgresql://lottery@127.0.0.1:{port}/{name}?target_session_attrs={asked}",
    ],
)
def test_of_several_hosts_the_one_that_can_be_written_to_is_used(
    clock: Clock, database_url: str, tmp_path: Path, form: str, asked: str
) -> None:
    keep_keys(tmp_path)
    real = make_url(database_url)
    address = form.format(closed=free_port(), port=real.port, name=real.database, asked=asked)

    sign_up(settings_for(address, LOTTERY_STORAGE=str(tmp_path)))

    assert usernames(database_url) == ["dana"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://h1,h2/db", "names 2 hosts, of which some may be standbys"),
        ("postgresql:///db?host=h1,h2", "names 2 hosts"),
        ("postgresql://h1,h2/db?target_session_attrs=any", "add ?target_session_attrs=read-write"),
        ("postgresql://h/db?target_session_attrs=standby", "use read-write or primary"),
        ("postgresql://h1,h2/db?target_session_attrs=prefer-standby", "use read-write or primary"),
        ("postgresql://u:hunter2@h1:x,h2/db", "has a host that cannot be read"),
        ("postgresql://u:hunter2@h1:0,h2/db", "has a host that cannot be read"),
        ("postgresql://u:hunter2@h1,/db", "has a host that cannot be read"),
        ("postgresql://u:hunter2@h1,h2/db?host=h3", "names hosts both before and after"),
        ("postgresql://u:hunter2@h1:543x/db", "cannot be read as an address of PostgreSQL"),
        ("postgres://h/db", "must be an address of SQLite or PostgreSQL"),
        ("sqlite:////x/per%cent.db", "in a file's name it is %25"),
        ("sqlite:////x/quest?ion.db", "A ? in a file's name is written %3F"),
    ],
)
def test_an_address_that_cannot_work_is_refused_in_a_sentence(address: str, says: str) -> None:
    with pytest.raises(config.SettingsError) as error:
        settings_for(address)

    assert says in str(error.value)
    assert "hunter2" not in str(error.value)
