"""Who may sign up: everybody, whoever has an invitation, or nobody; and the terms."""

import logging
import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import AccountEvent, Invitation, SiteChange, User
from tests.conftest import FIRST_NOON, Cast, Clock
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

GOOD = "correct horse"
INVITED, CLOSED = ({"LOTTERY_SIGN_UP": word} for word in ("invited", "closed"))
only_invited = pytest.mark.parametrize("given_settings", [INVITED])


def make_invitation(session: Session, cast: Cast, uses: int = 3) -> str:
    with session.begin():
        return Invitation.make(
            session, "Club night", FIRST_NOON, uses=uses, days=7, by=cast.alice.id
        )[1]


def join(visitor: Visitor, token: str, name: str, **fields: str) -> tuple[int, str]:
    visitor.get(f"/join?link={token}")
    answer = visitor.post("/join", username=name, password=GOOD, **fields)
    return answer.status_code, text_of(answer)


def names(session: Session) -> list[str]:
    with session.begin():
        return list(session.scalars(select(User.username).order_by(User.id)))[3:]


@only_invited
def test_whoever_has_an_invitation_signs_up_and_it_is_known(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    token = make_invitation(session, cast)

    followed = stranger.get(f"/join?link={token}")
    page = stranger.get("/join")
    done = stranger.post("/join", username="dana", password=GOOD)

    assert (followed.status_code, followed.location) == (303, "/join")
    assert followed.headers["Referrer-Policy"] == "no-referrer"
    assert token not in page.text
    assert "You’ve been invited." in text_of(page)
    assert (done.status_code, done.location) == (303, "/")
    assert "Log out (dana)" in text_of(stranger.get("/"))
    with session.begin():
        connection = session.connection()
        dana = session.scalars(select(User).where(User.username == "dana")).one()
        invitation = Invitation.of_guest(connection, dana.id)
        assert invitation is not None
        assert (invitation.label, invitation.used) == ("Club night", 1)
        (event,) = AccountEvent.latest_of(connection, dana.id, 5)
    assert (event.kind, event.detail) == ("joined_by_invitation", None)
    assert (
        '"joined_by_invitation_at": "2026-11-19T12:00:00+00:00"'
        in stranger.get("/account/data.json").text
    )


@only_invited
def test_looking_at_an_invitation_uses_nothing_up_and_nothing_logs_its_token(
    stranger: Visitor, session: Session, cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = make_invitation(session, cast, uses=1)
    for _ in range(3):
        stranger.get(f"/join?link={token}")
        stranger.get("/join")
    stranger.client.post(f"/join?link={token}", data={"username": "dana"})  # not from our form
    stranger.get(f"/join?link={token}x")
    stranger.get("/join")

    assert "csrf_refused" in caplog.text
    assert "invitation_refused" in caplog.text
    assert token not in caplog.text
    assert join(stranger, token, "dana")[0] == 303


@only_invited
def test_a_used_up_invitation_lets_nobody_in_also_in_another_tab(
    stranger: Visitor, log_in: LogIn, app: object, session: Session, cast: Cast
) -> None:
    token = make_invitation(session, cast, uses=1)
    other = Visitor(stranger.client.application.test_client())
    for visitor in (stranger, other):
        visitor.get(f"/join?link={token}")
    form = csrf_token(other.get("/join"))
    assert join(stranger, token, "dana")[0] == 303

    late = other.client.post(
        "/join", data={"csrf_token": form, "username": "emil", "password": GOOD}
    )

    assert late.status_code == 410
    assert "This invitation has been used up" in text_of(late)
    assert names(session) == ["dana"]


@only_invited
def test_an_invitation_that_is_used_up_while_a_password_is_hashed_stores_nobody(
    stranger: Visitor, session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = make_invitation(session, cast, uses=1)

    def hash_slowly(password: str) -> str:
        with session.begin():
            Invitation.use(session, token, cast.bob.id, FIRST_NOON)
        return "hash"

    monkeypatch.setattr("lottery_system.web.sign_up.hash_password", hash_slowly)

    status, text = join(stranger, token, "dana")

    assert (status, "has been used up" in text) == (410, True)
    assert names(session) == []


@only_invited
@pytest.mark.parametrize(
    ("token", "status", "says"),
    [("", 404, "isn’t valid"), ("x", 404, "isn’t valid"), ("é" * 200, 404, "isn’t valid")],
)
def test_a_wrong_link_is_refused_with_a_sentence(
    cast: Cast, stranger: Visitor, token: str, status: int, says: str
) -> None:
    stranger.get("/join", query_string={"link": token})

    answer = stranger.get("/join")

    assert (answer.status_code, says in text_of(answer)) == (status, True)
    assert 'href="/login"' in answer.text


@only_invited
def test_an_invitation_that_is_over_or_ended_is_refused_with_a_sentence(
    stranger: Visitor, session: Session, cast: Cast, clock: Clock
) -> None:
    token = make_invitation(session, cast)
    clock.turn(7 * ONE_DAY)
    stranger.get(f"/join?link={token}")
    expired = stranger.get("/join")
    clock.turn(-timedelta(seconds=1))
    assert stranger.get("/join").status_code == 200
    with session.begin():
        Invitation.end(session, 1, FIRST_NOON, cast.alice.id)
    ended = stranger.get("/join")

    assert (expired.status_code, "is too old" in text_of(expired)) == (410, True)
    assert (ended.status_code, "has ended this invitation" in text_of(ended)) == (410, True)


def test_whoever_is_logged_in_is_told_so_and_uses_nothing_up(
    bob: Visitor, session: Session, cast: Cast
) -> None:
    token = make_invitation(session, cast)
    bob.get(f"/join?link={token}")

    shown = bob.get("/join")
    form = csrf_token(bob.get("/account"))
    posted = bob.client.post(
        "/join", data={"csrf_token": form, "username": "dana", "password": GOOD}
    )

    for answer in (shown, posted):
        assert answer.status_code == 409
        assert "You’re logged in as bob, so you have an account already." in text_of(answer)
    assert names(session) == []


def test_a_form_without_a_session_comes_back_and_nothing_is_stored(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    stranger.get(f"/join?link={make_invitation(session, cast)}")

    answer = stranger.client.post("/join", data={"username": "dana", "password": GOOD})

    assert answer.status_code == 400
    assert "Nothing was saved" in text_of(answer)
    assert names(session) == []


def test_an_invitation_counts_where_everybody_may_sign_up_too(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    token = make_invitation(session, cast)
    assert join(stranger, token, "ab")[0] == 422
    assert join(stranger, token, "dana")[0] == 303
    with session.begin():
        (row,) = Invitation.latest(session.connection(), 5)
    assert row.used == 1


@pytest.mark.parametrize(
    ("given_settings", "says"),
    [(INVITED, "you need an invitation"), (CLOSED, "Nobody can sign up here right now.")],
)
def test_who_cannot_sign_up_is_told_so_and_can_log_in(
    stranger: Visitor, session: Session, cast: Cast, says: str
) -> None:
    shown = stranger.get("/signup")
    posted = stranger.post("/signup", "/login", username="dana", password=GOOD)
    foreign = stranger.client.post("/signup", data={"username": "dana", "password": GOOD})

    for answer in (shown, posted):
        assert (answer.status_code, says in text_of(answer)) == (403, True)
    assert foreign.status_code in (400, 403)
    assert names(session) == []
    for path in ("/login", "/welcome", "/winners"):
        assert 'href="/signup' not in stranger.get(path).text
    assert stranger.log_in("bob").status_code == 303


@pytest.mark.parametrize("given_settings", [CLOSED])
def test_no_invitation_lets_anybody_in_while_sign_up_is_closed(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    token = make_invitation(session, cast)
    stranger.get(f"/join?link={token}")

    assert stranger.get("/join").status_code == 403
    answer = stranger.post("/join", "/login", username="dana", password=GOOD)
    assert (answer.status_code, names(session)) == (403, [])


@pytest.mark.parametrize(
    "username", ["admin", "Adm1n", "Organisers", "lottery.local", "Lottery-Local"]
)
def test_a_name_of_whoever_runs_the_lottery_is_refused_at_the_field(
    stranger: Visitor, session: Session, cast: Cast, username: str
) -> None:
    answer = stranger.post("/signup", username=username, password=GOOD)

    assert answer.status_code == 422
    assert "This username is kept for whoever runs the lottery." in text_of(answer)
    assert names(session) == []


def set_terms(session: Session, terms: str, title: str = "Raffle Club") -> None:
    texts = {"title": title, "contact": "", "terms": terms, "privacy": "", "imprint": ""}
    with session.begin():
        SiteChange.add(session, texts, None, FIRST_NOON, None)


def test_the_title_is_reserved_too(stranger: Visitor, session: Session, cast: Cast) -> None:
    set_terms(session, "")

    answer = stranger.post("/signup", username="raffle_c1ub", password=GOOD)

    assert "This username is kept" in text_of(answer)


def test_terms_are_accepted_in_the_version_that_was_shown(
    stranger: Visitor, session: Session, cast: Cast
) -> None:
    set_terms(session, "Be kind.")
    set_terms(session, "Be kind.", title="Another title")
    page = stranger.get("/signup")
    (shown,) = re.findall(r'name="terms" value="(\d+)"', page.text)

    without = stranger.post("/signup", username="dana", password=GOOD)
    set_terms(session, "Be kind, and pay.")
    outdated = stranger.post("/signup", username="dana", password=GOOD, terms=shown)

    assert (without.status_code, outdated.status_code) == (422, 422)
    assert "tick the box to accept the terms" in text_of(without)
    assert 'href="#terms"' in without.text
    assert "The terms have just changed." in text_of(outdated)
    assert names(session) == []
    (now,) = re.findall(r'name="terms" value="(\d+)"', outdated.text)
    assert (shown, now) == ("1", "3")
    assert stranger.post("/signup", username="dana", password=GOOD, terms=now).status_code == 303
    with session.begin():
        assert session.scalar(select(User.accepted_terms).where(User.username == "dana")) == 3


def test_without_terms_there_is_no_box(stranger: Visitor, session: Session, cast: Cast) -> None:
    set_terms(session, "Be kind.")
    set_terms(session, "")

    assert 'name="terms"' not in stranger.get("/signup").text
    assert stranger.post("/signup", username="dana", password=GOOD).status_code == 303
    with session.begin():
        assert session.scalar(select(func.max(User.accepted_terms))) is None
