"""What the log says of a request: its id, network, user and time; and no secret, in either form."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from config.log_lines import FORMATTERS
from lottery_system import scheduler
from lottery_system.models import Lottery
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import begin, run_due
from tests.web.conftest import LogIn, Visitor, csrf_token

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

#: what is typed, sent or carried, and is nobody's business
SECRETS = {
    "password": "seven lazy badgers 4711",
    "wrong": "a guess of a password 4712",
    "link": "Li4nKt0kEnLi4nKt0kEnLi4nKt0kEn",
    "message": "Please ring twice 4713",
    "contact": "bob-privately@mail.example",
    "code": "471408",
    "mail": "mAiL-pAsSwOrD-4715",
    "note": "a credential 4716",
}
MAILS = {
    "LOTTERY_MAIL_URL": f"smtp://lottery:{SECRETS['mail']}@127.0.0.1:9",
    "LOTTERY_MAIL_FROM": "lottery@example.org",
    "LOTTERY_URL": "http://localhost",
}


@pytest.fixture
def logs() -> Iterator[dict[str, StringIO]]:
    """Write the log in both forms, as a server does."""
    texts = {name: StringIO() for name in FORMATTERS}
    handlers = []
    for name, kind in FORMATTERS.items():
        handler = logging.StreamHandler(texts[name])
        handler.setFormatter(kind())
        handlers.append(handler)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    yield texts
    root.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)


def test_a_line_names_request_network_user_and_time(
    bob: Visitor, cast: Cast, logs: dict[str, StringIO]
) -> None:
    bob.client.environ_base["REMOTE_ADDR"] = "2001:db8::7"

    answer = bob.get("/organiser")

    name = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", name)
    told = (
        rf"path=GET:/organiser \(request={name} client=2001:db8::/64 user={cast.bob.id} ms=\d+\)$"
    )
    assert re.search(told, logs["text"].getvalue().strip())
    event = json.loads(logs["json"].getvalue().splitlines()[-1])
    assert (event["request"], event["client"], event["user"]) == (
        name, "2001:db8::/64", cast.bob.id,
    )  # fmt: skip
    assert event["message"].startswith("access_denied user=bob")


@pytest.mark.parametrize(
    ("given_settings", "sent", "is_taken"),
    [
        ({}, "0123-4567.abcd_EF", False),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "0123-4567.abcd_EF", True),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "short", False),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "x" * 65, False),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "12345678 user=1", False),
        ({"LOTTERY_TRUSTED_PROXIES": "1"}, "12345678\u00e9", False),
    ],
)
def test_only_a_trusted_proxy_names_requests_and_only_by_a_plain_word(
    app: Flask, clock: Clock, sent: str, is_taken: bool
) -> None:
    answer = app.test_client().get("/healthz", headers={"X-Request-ID": sent})

    assert (answer.headers["X-Request-ID"] == sent) == is_taken
    assert re.fullmatch(r"[\w.-]{8,64}", answer.headers["X-Request-ID"])


def test_each_request_has_its_own_id_also_where_it_is_refused_early(stranger: Visitor) -> None:
    answers = [
        stranger.get("/winners"),
        stranger.get("/winners"),
        stranger.get("/winners", headers={"Host": "a b"}),
        stranger.get("/x" * 3000),
    ]

    assert [each.status_code for each in answers] == [200, 200, 400, 414]
    assert len({each.headers["X-Request-ID"] for each in answers}) == 4


@pytest.mark.parametrize("given_settings", [MAILS])
def test_no_secret_is_in_the_log_whatever_comes_in_by_the_doors(
    app: Flask, cast: Cast, big_chance: Lottery, session: Session, submit: Submit, clock: Clock,
    log_in: LogIn, logs: dict[str, StringIO],
) -> None:  # fmt: skip
    begin(session, FIRST_NOON)
    granted = submit(cast.bob, big_chance)
    clock.turn(timedelta(days=1))
    run_due(session, FIRST_NOON + timedelta(days=1), places=1)
    visitors = [Visitor(app.test_client()), log_in("bob")]
    carried = []
    for visitor in visitors:
        for path in DOORS:
            play(visitor, path)
        carried += [each.value for each in (visitor.client._cookies or {}).values()]
    stranger = Visitor(app.test_client())
    stranger.log_in("bob", SECRETS["wrong"])
    link = re.search(r"link=([\w-]{20,})", reset_link(log_in("alice"), cast.bob.id))
    assert link
    stranger.get(f"/new-password?link={link[1]}")
    assert stranger.post("/new-password", new=SECRETS["password"]).status_code == 303
    again = Visitor(app.test_client())
    assert again.log_in("bob", SECRETS["password"]).status_code == 303
    again.post(f"/prizes/{FIRST_DAY}/1", message=SECRETS["message"], contact=SECRETS["contact"])
    scheduler.send_mails(app)
    scheduler.tick(app)

    secrets = [*SECRETS.values(), link[1], str(granted.token), *carried]
    for text in (each.getvalue() for each in logs.values()):
        assert text.count("\n") > 100
        assert [each for each in secrets if len(each) > 5 and each in text] == []


#: where somebody types, or comes with a link, a token or a form of long ago
DOORS = (
    "/signup", "/join", "/login", "/login/second-step", "/login/second-step/passkey",
    "/login/passkey", "/forgotten-password", "/new-password", "/confirm-email", "/stop-emails",
    "/", "/lotteries/1/ballots", f"/prizes/{FIRST_DAY}/1", "/account/password", "/account/confirm",
    "/account/email", "/account/security/passkeys", "/account/security/app", "/nothing",
)  # fmt: skip


def play(visitor: Visitor, path: str) -> None:
    """Come to an address with secrets in its query, and send a form full of them."""
    link = SECRETS["link"]
    visitor.get(f"{path}?link={link}&stop={link}&next=/join?link={link}&receipt={link}")
    fields = {
        "username": "dana", "password": SECRETS["password"], "current": SECRETS["wrong"],
        "new": SECRETS["password"], "code": SECRETS["code"], "credential": SECRETS["note"],
        "message": SECRETS["message"], "contact": SECRETS["contact"],
        "address": SECRETS["contact"], "who": SECRETS["contact"], "submission": str(uuid4()),
    }  # fmt: skip
    visitor.client.post(f"{path}?link={link}&stop={link}", data=fields)
    page = visitor.get("/account")
    fields["csrf_token"] = csrf_token(page if page.status_code == 200 else visitor.get("/login"))
    visitor.client.post(f"{path}?link={link}&stop={link}", data=fields)


def reset_link(alice: Visitor, user_id: int) -> str:
    path = f"/organiser/participants/{user_id}"
    return alice.post(f"{path}/reset-link", page=path).text
