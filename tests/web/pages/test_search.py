"""Search for a lottery by a part of its name, on databases of all locales."""

import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lottery_system.models import Lottery, LotteryChange
from lottery_system.models.base import table_of
from tests.conftest import FIRST_DAY, FIRST_NOON, empty, migrate
from tests.stand_ins.postgres import Server
from tests.web.conftest import Visitor, text_of
from tests.web.pages.test_front_page import names

NEW = "/organiser/lotteries/new"
#: each with what it is found by
NAMES = {
    "Österreich": ("Österreich", "österreich", "ÖSTERREICH", "O\u0308sterreich", "osterreich"),
    "Hauptstraße": ("strasse", "STRASSE", "straße", "STRAẞE"),
    "İstanbul ISPARTA": ("istanbul", "İSTANBUL", "ısparta"),
    "ΟΔΌΣ": ("ὁδός", "οδος", "οδοσ"),
    "Großes ﬁnale": ("finale", "GROSSES FINALE", "ﬁ"),
    "Ｌｏｔｔｏ ７": ("lotto 7", "ｌｏｔｔｏ"),
    "می\u200cخواهم": ("میخواهم", "مي\u200cخواهم"),
    "Ein ❤\ufe0f für 🧀": ("❤", "🧀", "❤\ufe0f FUR"),
    "100 % \\ a_b": ("%", "\\", "a_b", "% \\ A"),
}  # fmt: skip
LOCALES = {
    "C": "LOCALE 'C'",
    "C.UTF-8": "LOCALE 'C.UTF-8'",
    "Turkish": "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'tr'",
    "German": "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'de'",
}


@pytest.fixture(scope="session")
def located_urls(postgres: Server) -> dict[str, str]:
    """Return the addresses of databases with the newest schema by their locales."""
    urls = {}
    for locale, options in LOCALES.items():
        name = f"locale_{locale}"
        with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' {}").format(
                    Identifier(name), SQL(options)
                )
            )
        urls[locale] = postgres.url(name)
        migrate(urls[locale])
    return urls


@pytest.fixture(params=["sqlite", *LOCALES])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database of some locale."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "lottery.db")
        return f"sqlite:///{tmp_path}/lottery.db"
    url: str = request.getfixturevalue("located_urls")[request.param]
    empty(url)
    return url


def search(visitor: Visitor, part: str) -> list[str]:
    return names(visitor.get("/", query_string={"q": part}).text)


def test_a_lottery_is_found_however_its_name_is_typed(bob: Visitor, session: Session) -> None:
    with session.begin():
        for name in NAMES:
            session.add(Lottery.create(name, "", FIRST_DAY, FIRST_NOON))

    for name, parts in NAMES.items():
        for part in parts:
            assert search(bob, part) == [name], part


def test_a_lottery_is_found_by_its_new_name_alone(
    alice: Visitor, bob: Visitor, big_chance: Lottery, session: Session
) -> None:
    address = f"/organiser/lotteries/{big_chance.id}"
    assert alice.post(address, name="Straße", prize="", closes_on="2026-12-19").status_code == 303

    assert (search(bob, "STRASSE"), search(bob, "big")) == (["Straße"], [])


def test_a_search_for_an_accent_alone_is_none(bob: Visitor, big_chance: Lottery) -> None:
    assert search(bob, "\u0301") == ["Big Chance"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("Österreich", "O\u0308sterreich"), ("ﬁnale", "finale"), ("Lotto", "Ｌｏｔｔｏ")],
)
def test_a_name_is_taken_however_its_letters_are_encoded(
    alice: Visitor, session: Session, engine: Engine, first: str, second: str
) -> None:
    for name, status in ((first, 303), (second, 422), (second.upper(), 303)):
        answer = alice.post(NEW, name=name, prize="", closes_on="2026-12-24")
        assert answer.status_code == status, name
        if status == 422:
            assert "There’s already a lottery with this name." in text_of(answer)
    # not by the form alone: whatever checks nothing before is refused, too
    with pytest.raises(IntegrityError), Session(engine) as other, other.begin():
        other.add(Lottery.create(second, "", FIRST_DAY, FIRST_NOON))


def test_keys_are_no_edit_of_a_lottery(big_chance: Lottery, session: Session) -> None:
    with session.begin():
        session.execute(update(Lottery).values(search_key="", name_key=""))

    with session.begin():
        assert len(session.scalars(select(LotteryChange)).all()) == 1
    assert not {"name_key", "search_key"} & {*table_of(LotteryChange).c.keys()}
