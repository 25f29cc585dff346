"""Every address under random and odd requests, as a stranger, a participant and an organiser.

A failure names its seed. `SEED=7 STRIKES=10 pytest tests/faults/test_addresses.py`, with the
STRIKES that it had, makes the same requests again in its first round.
"""

import gc
import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask, request, request_started
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers
from werkzeug.test import run_wsgi_app

from lottery_system.access import Access
from lottery_system.clock import ONE_DAY
from lottery_system.models import Base, Lottery, Submission, User
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.odd_requests import ELSEWHERE, SCRIPT, Oddities, Request, known_odd_posts
from tests.stand_ins.strikes import STRIKES
from tests.web.conftest import KNOWN, SESSION, Visitor, csrf_token

#: where the first round's requests come from; None for anywhere
SEED = int(os.environ.get("SEED") or 1) if "SEED" in os.environ or STRIKES == 1 else None
#: how often each of the three asks for each address in a round, and more where there is more to try
TIMES = 1 if STRIKES == 1 else 5
#: seconds of processor time within which anything is answered, however odd
AT_MOST = 2
#: somebody whom organisers alone can see: it is no winner, and its name is nowhere in the requests
SECRET = "quiet-neighbour"

MAY_CALL = {
    "stranger": {Access.EVERYBODY},
    "participant": {Access.EVERYBODY, Access.USERS},
    "organiser": {Access.EVERYBODY, Access.USERS, Access.ORGANISERS},
}
INTERFACE = (Path(__file__).resolve().parents[2] / "docs" / "interface.md").read_text("utf-8")
#: what is ordinarily sent in a field or parameter of some name
ORDINARY = {
    "before": ["1"],
    "claim": ["At the desk"],
    "closes_on": [str(FIRST_DAY + ONE_DAY)],
    "count": ["1"],
    "current": [PASSWORD],
    "date": [str(FIRST_DAY)],
    "day": [str(FIRST_DAY), str(FIRST_DAY + ONE_DAY)],
    "filename": ["lottery.css"],
    "lang": ["fr"],
    "language": ["de"],
    "name": ["Big Chance"],
    "new": ["another horse battery"],
    "most_a_day": ["3"],
    "next": ["/account"],
    "opens_on": [str(FIRST_DAY + ONE_DAY)],
    "number": [str(number) for number in range(1, 7)],
    "page": ["1"],
    "password": [PASSWORD],
    "path": ["0/000.p/1", "entries/000.p/1", "0/000"],
    "prize": ["A car"],
    "q": ["chance"],
    "resume": ["/organiser/lotteries/new", "/account/password"],
    "size": ["3"],
    "until": [str(FIRST_DAY)],
    "winnable": ["5"],
}


@dataclass(frozen=True)
class Answer:
    """What came back, and what the application took the request for."""

    status: int
    headers: Headers
    text: str
    #: None if no route fits
    endpoint: str | None
    arguments: dict[str, Any]


@dataclass
class Person:
    """Somebody of one of the three kinds, who comes back under another name if put out."""

    kind: str
    app: Flask
    cookies: str = ""
    csrf: str = ""
    ids: list[int] = field(default_factory=list)

    def come_in(self, session: Session) -> bool:
        """Be logged in, as a new user where the last one is not; tell whether it is a new one."""
        if self.cookies and (self.kind == "stranger" or self._is_in()):
            return False
        visitor = Visitor(self.app.test_client())
        if self.kind != "stranger":
            username = f"{self.kind[:5]}-{len(self.ids)}"  # "organiser" is reserved
            # an organiser may have given the site terms meanwhile
            terms = re.search(r'name="terms" value="(\d+)"', visitor.get("/signup").text)
            form = {"username": username, "password": PASSWORD, "terms": terms[1] if terms else ""}
            assert visitor.post("/signup", **form).status_code == 303
            with session.begin():
                user = User.by_username(session, username)
                assert user is not None
                user.is_organiser = self.kind == "organiser"
                self.ids.append(user.id)
        self.csrf = csrf_token(visitor.get("/login" if self.kind == "stranger" else "/account"))
        kept = visitor.client.get_cookie
        self.cookies = "; ".join(
            f"{name}={cookie.value}" for name in (SESSION, KNOWN) if (cookie := kept(name))
        )
        return True

    def _is_in(self) -> bool:
        browser = self.app.test_client(use_cookies=False)
        return browser.get("/account", headers={"Cookie": self.cookies}).status_code == 200


@pytest.fixture(autouse=True)
def nothing_of_others() -> Iterator[None]:
    """Leave what other tests left in memory alone: collecting it takes seconds of a request."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def people(app: Flask, session: Session, clock: Clock, submit: Submit) -> list[Person]:
    """Play for a day that is drawn, and for another."""
    people = [Person(kind, app) for kind in MAY_CALL]
    with session.begin():
        quiet = User.sign_up(SECRET, "no hash", FIRST_NOON)
        lottery = Lottery.create("Big Chance", "A car", FIRST_DAY + timedelta(days=30), FIRST_NOON)
        session.add_all([quiet, lottery])
    for person in people:
        person.come_in(session)
    with session.begin():
        holders = session.scalars(select(User).where(User.id.in_(people[1].ids + people[2].ids)))
        players = holders.all()
    for player in players:
        submit(player, lottery, 3)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    for player in [quiet, *players]:
        submit(player, lottery, 2)
    return people


# of uploads in a body that ended too soon, which the garbage collector closes
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning")
@pytest.mark.parametrize("count", range(STRIKES))
def test_nothing_that_is_sent_to_any_address_fails_or_lets_anybody_see_what_is_not_theirs(
    app: Flask, engine: Engine, session: Session, people: list[Person], count: int
) -> None:
    seed = random.randrange(10**9) if SEED is None else SEED + count
    oddities = Oddities(str(seed))
    findings: list[str] = []
    addresses = _addresses(app)
    oddities.random.shuffle(addresses)
    rows, may_write = _rows(engine), False
    for rule, method in addresses:
        own = _fields(rule)
        for person in people:
            may_write |= person.come_in(session)
            ordinary = _ordinary(person)
            for _ in range(TIMES * (1 + 2 * rule.count("<") + 2 * (method == "POST"))):
                sent = oddities.request(method, rule, own, ordinary, person.cookies)
                answer, found = _send(app, sent, oddities.client())
                if answer is not None:
                    found += _wrongs(app, person, answer, session)
                    may_write |= sent.method == "POST" and _may_call(app, person, answer.endpoint)
                findings += [f"{person.kind}: {why}\n    {sent}" for why in found]
            if method == "POST" or person is people[-1]:
                before, rows = rows, _rows(engine)
                if rows != before and not may_write:
                    findings.append(f"{person.kind}: rows are changed by {method} {rule}")
                may_write = False

    if findings:
        pytest.fail("\n".join([f"SEED={seed} STRIKES={STRIKES}", *findings]), pytrace=False)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_one_address_could_not_bear_any_address_bears(
    app: Flask, session: Session, people: list[Person]
) -> None:
    findings: list[str] = []
    for rule, method in _addresses(app):
        if method == "POST":
            for person in people[:2]:
                person.come_in(session)
                path, ordinary = re.sub("<.*>", "1", rule), _ordinary(person)
                for sent in known_odd_posts(path, _fields(rule), ordinary, person.cookies):
                    _, found = _send(app, sent, f"{ELSEWHERE}{len(findings) % 256}")
                    findings += [f"{person.kind}: {why}\n    {sent}" for why in found]

    if findings:
        pytest.fail("\n".join(findings), pytrace=False)


def _addresses(app: Flask) -> list[tuple[str, str]]:
    return sorted(
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


def _fields(rule: str) -> list[str]:
    """Return the fields and parameters that docs/interface.md names for a route."""
    path = re.sub(r"<(\w+(\(.*?\))?:)?", "<", rule)
    row = re.search(rf"^\| `[A-Z, ]+ {re.escape(path)}` \|.*", INTERFACE, re.MULTILINE)
    assert row, path
    named = re.findall(r"[?&](\w+)=|`([a-z_]+)[`=]", row[0])
    return sorted({name for pair in named for name in pair if name})


def _ordinary(person: Person) -> dict[str, list[str]]:
    """Return what is ordinarily sent in each field and parameter."""
    return {
        **ORDINARY,
        "csrf_token": [person.csrf],
        "submission": [str(uuid4())],
        "username": [f"{person.kind}-{uuid4().hex[:8]}"],
    }


def _send(app: Flask, sent: Request, client: str) -> tuple[Answer | None, list[str]]:
    """Send a request, and return its answer with what is wrong about any answer like it."""
    with _routes(app) as routes:
        began = time.process_time()
        try:
            parts, status, headers = run_wsgi_app(app, sent.environ() | {"REMOTE_ADDR": client})
            stream = headers.get("Content-Type", "").startswith("text/event-stream")
            body = b"" if stream else b"".join(parts)
            getattr(parts, "close", lambda: None)()
        except Exception as error:
            return None, [f"raises {error!r:.200}"]
        seconds = time.process_time() - began
    endpoint, arguments = routes[-1] if routes else (None, {})
    answer = Answer(int(status[:3]), headers, body.decode("utf-8", "replace"), endpoint, arguments)
    wrongs = []
    if answer.status >= 500:
        wrongs.append(f"{endpoint} answers {answer.status}")
    if seconds > AT_MOST:
        wrongs.append(f"{endpoint} takes {seconds:.1f} s and answers {answer.status}")
    return answer, wrongs


@contextmanager
def _routes(app: Flask) -> Iterator[list[tuple[str | None, dict[str, Any]]]]:
    """Note what the application takes the requests for."""
    routes: list[tuple[str | None, dict[str, Any]]] = []

    def note(*_: object, **__: object) -> None:
        routes.append((request.endpoint, dict(request.view_args or {})))

    with request_started.connected_to(note, app):
        yield routes


def _wrongs(app: Flask, person: Person, answer: Answer, session: Session) -> Iterator[str]:
    """Yield what somebody got that was not for them."""
    to = answer.headers.get("Location")
    if not _may_call(app, person, answer.endpoint) and answer.status < 400:
        is_sent_to_log_in = answer.status == 303 and (to or "").partition("?")[0] == "/login"
        if not is_sent_to_log_in:
            yield f"{answer.endpoint} answers {answer.status} {to or ''}"
    if to is not None and re.match(r"[/\\]{2}|[^/]*evil", to):
        yield f"{answer.endpoint} sends to {to}"
    if SECRET in answer.text and person.kind != "organiser":
        yield f"{answer.endpoint} tells of somebody else"
    if answer.endpoint == "draws.receipt" and answer.status == 200 and answer.text:
        with session.begin():
            number, day = answer.arguments["number"], date.fromisoformat(answer.arguments["day"])
            holder = session.scalar(
                select(Submission.user_id)
                .where(Submission.day == day, Submission.first_number <= number)
                .order_by(Submission.first_number.desc())
                .limit(1)
            )
        if holder not in person.ids:
            yield f"a receipt of user {holder}"
    if answer.headers.get("Content-Type", "").startswith("text/html") and SCRIPT in answer.text:
        yield f"{answer.endpoint} runs a script that was sent"
    if "Traceback (most recent call last)" in answer.text:
        yield f"{answer.endpoint} shows a traceback"


def _may_call(app: Flask, person: Person, endpoint: str | None) -> bool:
    if endpoint is None:
        return True
    return getattr(app.view_functions[endpoint], "access") in MAY_CALL[person.kind]  # noqa: B009


def _rows(engine: Engine) -> dict[str, list[str]]:
    """Read everything but the counts of attempts, which are there to be counted up."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in Base.metadata.sorted_tables
            if table.name != "throttles"
        }
