"""Input limits: any request is answered soon, and never with a server error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from lottery_system.models import Lottery, User
from tests.conftest import PASSWORD, Clock
from tests.web.conftest import Visitor, csrf_token, text_of

#: what comes in is looked at before any database is
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

#: 64 kB each, of texts that take long to normalise, or to look up in tables of Unicode
LONG = {
    "digits of Arabic": "\u0661" * 31_000,
    "marks upon marks": ("a" + "\u0301\u0327\u0323\u0308\u0330") * 5_900,
    "one letter, all marks": "a" + "\u0301\u0327" * 15_700,
    "dots of Katakana": "・" * 21_000 + "ア",
    "joiners": "\u0646\u200c" * 13_000,
    "digits": "9" * 65_000,
}
#: seconds of processor time for all of these at one address; one alone took up to 30
PATIENCE = 5

LOTTERY_FIELDS = (
    "name", "prize", "claim", "opens_on", "closes_on", "most_a_day", "winnable", "picture_alt",
    "remove_picture", "picture",
)  # fmt: skip
FIELDS = {
    "accounts.create": ("username", "password", "terms"),
    "accounts.create_session": ("username", "password", "resume"),
    "accounts.destroy_session": (),
    "authenticator_apps.begin": (),
    "authenticator_apps.check": ("code",),
    "authenticator_apps.remove": (),
    "my_passkeys.create": ("name", "credential"),
    "my_passkeys.remove": ("passkey",),
    "participants.remove_second_factors": (),
    "passkey_log_ins.create": ("credential",),
    "second_steps.check_code": ("code",),
    "second_steps.check_passkey": ("credential",),
    "security.make_recovery_codes": (),
    "security.prove": ("current",),
    "ballots.create": ("count", "submission"),
    "ballots.mark_seen": ("until",),
    "invitations.create": ("label", "uses", "days"),
    "invitations.end": (),
    "joining.create": ("username", "password", "terms"),
    "handovers.create": ("handed_on", "note"),
    "handovers.let_lapse": ("reason", "is_sure"),
    "mail_links.create": (),
    "mail_links.stop": (),
    "mail_settings.ask": ("address", "current"),
    "mail_settings.choose": ("tells_wins", "tells_log_ins"),
    "mail_settings.remove": ("remove-current",),
    "participants.demote": ("current",),
    "participants.keep_out": ("reason",),
    "participants.let_in": (),
    "participants.promote": ("current",),
    "my_account.change_password": ("current", "new"),
    "my_account.choose_language": ("language",),
    "my_account.choose_time_zone": ("time_zone",),
    "my_account.close": ("current",),
    "my_account.end_other_sessions": (),
    "my_account.end_session": ("log_in",),
    "my_account.mark_news_seen": ("until",),
    "new_passwords.ask": ("who",),
    "new_passwords.create": ("new",),
    "organiser.create": LOTTERY_FIELDS,
    "organiser.update": LOTTERY_FIELDS,
    "organiser.withdraw": (),
    "reset_links.make_link": (),
    "prizes.create": ("message", "contact"),
    "site_form.save": ("title", "contact", "terms", "privacy", "imprint", "remove_logo", "logo"),
}
#: characters of a field, where a form takes more than others
LONGEST = {"site_form.save": 40_240}


def forms(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]


def pages(app: Flask) -> list[Rule]:
    return [
        rule for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint != "live.live"
    ]  # fmt: skip


def path_of(app: Flask, rule: Rule, word: str = "1") -> str:
    """Return an address of a rule, with a number wherever one goes, and else a word."""
    with app.test_request_context():
        numbers = {
            "invitation_id", "lottery_id", "number", "place", "timeline", "user_id", "width",
        }  # fmt: skip
        values = {name: 1 if name in numbers else word for name in rule.arguments}
        return rule.build(values)[1]  # type: ignore[index]


@contextmanager
def soon() -> Iterator[None]:
    before = time.process_time()
    yield
    took = time.process_time() - before
    assert took < PATIENCE, f"{took:.1f} s of processor time"


def test_every_form_is_among_those_that_get_long_texts_here(app: Flask) -> None:
    assert {rule.endpoint for rule in forms(app)} == set(FIELDS)


def test_a_long_text_in_any_field_of_any_form_is_answered_soon(
    app: Flask, alice: Visitor, stranger: Visitor, big_chance: Lottery
) -> None:
    usual = {"username": "bob", "password": PASSWORD, "current": PASSWORD, "name": "A"}
    for rule in forms(app):
        is_for_strangers = rule.endpoint.startswith("accounts.create")
        visitor, page = (stranger, "/login") if is_for_strangers else (alice, "/account")
        token = csrf_token(visitor.get(page))
        for field in (*FIELDS[rule.endpoint], "csrf_token"):
            with soon():
                for long in LONG.values():
                    # as much as comes in, too, for what lies behind that
                    for text in (long, long[:10_240]):
                        form = {"csrf_token": token, **usual, field: text}
                        answer = visitor.client.post(path_of(app, rule), data=form)
                        assert answer.status_code < 500, (rule, field)
                        most = LONGEST.get(rule.endpoint, 10_240)
                        assert len(text) <= most or answer.status_code == 413


def test_a_long_text_in_any_address_query_or_header_is_answered_soon(
    app: Flask, alice: Visitor
) -> None:
    asked = ("date", "before", "until", "q", "page", "lang", "next", "size", "number", "done")
    headers = (
        "Origin", "Referer", "Accept-Language", "Accept-Encoding", "Range", "If-None-Match",
        "If-Modified-Since", "Last-Event-ID", "Content-Type", "Cookie", "X-Forwarded-For",
    )  # fmt: skip
    for rule in pages(app):
        with soon():
            for long in LONG.values():
                path = path_of(app, rule, long[:250])
                query = dict.fromkeys(asked, long[:20])
                answer = alice.client.get(path, query_string=query, buffered=True)
                assert answer.status_code not in (414, 500), path
    with soon():
        for long in LONG.values():
            assert alice.get(f"/winners/{long}").status_code == 414
            assert alice.client.get("/", query_string={"q": long}).status_code == 414
    bare = app.test_client(use_cookies=False)
    for text in ("x" * 900_000, "é" * 8000, "9" * 8000, "[" * 8000, "a=" * 4000, "," * 8000):
        with soon():
            for name in headers:
                answer = bare.get("/winners", headers={name: text})
                assert answer.status_code < 500, name
                assert len(text) < 8191 or answer.status_code == 431, name


GARBAGE = (
    "[", "[::", "localhost:abc", "http://[", "https://localhost:abc/", "//", "\x7f", "\xff\xfe",
    "bytes=-", "bytes=9-1,", "bytes=99999999999999999999-", '"', 'W/"', "*", ",,;;==", "en;q=nan",
    "multipart/form-data; boundary=", "multipart/form-data; boundary=\xff", "text/html;;;=\"",
    "application/x-www-form-urlencoded; charset=no-such", "-1", "1e9", "%", "null",
    "Thu, 99 Foo 99999 99:99:99 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "session=.eJ; known=;=",
)  # fmt: skip
#: headers that are garbage together; what is refused at once comes alone
HEADERS = (
    ("Origin",), ("Referer",), ("Host",), ("X-Forwarded-Host",), ("X-Forwarded-Proto",),
    ("Cookie",), ("Content-Length",), ("Content-Type",), ("Transfer-Encoding",),
    ("X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded"),
    ("Accept", "Accept-Language", "Accept-Encoding", "Last-Event-ID", "Sec-Fetch-Site"),
    ("Range", "If-Range", "If-Match", "If-Unmodified-Since", "X-CSRFToken", "Authorization"),
    ("If-None-Match", "If-Modified-Since"),
)  # fmt: skip


@pytest.mark.parametrize("given_settings", [{"LOTTERY_TRUSTED_PROXIES": "1"}])
def test_a_header_of_garbage_is_never_a_fault_of_ours(alice: Visitor, big_chance: Lottery) -> None:
    """Under TLS, where the CSRF protection reads the referrer, and behind a proxy."""
    site = "https://localhost"
    new = "/organiser/lotteries/new"
    form = {"csrf_token": csrf_token(alice.get("/account"))}
    for headers in HEADERS:
        for text in GARBAGE:
            given = {"Referer": f"{site}/", **dict.fromkeys(headers, text)}
            send = {"base_url": site, "headers": given, "buffered": True}
            answers = [
                alice.client.get("/static/js/lottery.js", **send),
                alice.client.get("/metrics", **send),
                alice.client.post(new, data=form, **send),
                alice.client.post(new, data={"name": "no token"}, **send),
            ]
            assert 500 not in {each.status_code for each in answers}, (headers, text)


@pytest.mark.parametrize("given_settings", [{"LOTTERY_TRUSTED_PROXIES": "1"}])
def test_a_host_that_is_none_is_refused(stranger: Visitor) -> None:
    for header, text in (
        ("Host", "["), ("Host", "localhost:abc"), ("Host", "x" * 300), ("X-Forwarded-Host", "a/b"),
    ):  # fmt: skip
        answer = stranger.get("/winners", headers={header: text})

        assert (answer.status_code, answer.mimetype) == (400, "text/plain"), text


def test_a_path_that_no_number_is_read_from_resumes_nothing(
    cast: object, stranger: Visitor
) -> None:
    path = "/lotteries/" + "9" * 5000 + "/ballots"

    answer = stranger.post("/login", username="bob", password=PASSWORD, resume=path)

    assert (answer.status_code, answer.location) == (303, "/")


def count_users(session: Session) -> int | None:
    with session.begin():
        return session.scalar(select(func.count()).select_from(User))


@pytest.mark.parametrize("with_token", [True, False])
def test_what_is_no_form_is_refused_with_what_to_do(
    app: Flask, stranger: Visitor, session: Session, with_token: bool
) -> None:
    token = csrf_token(stranger.get("/signup"))
    headers = {"X-CSRFToken": token} if with_token else {}
    bodies = ('{"username": 1}', "5", "[1, 2]", "[" * 9000, "null", "{")
    for body, kind in zip(
        bodies * 2, ("application/json", "text/plain", "", "a/b+json") * 3, strict=True
    ):
        for path in (path_of(app, rule) for rule in forms(app)):
            answer = stranger.client.post(path, data=body, content_type=kind, headers=headers)

            assert answer.status_code == 415, path
            assert "We only accept forms here. Send the fields as a browser does" in text_of(answer)
    assert count_users(session) == 0


def test_a_file_is_no_field_of_a_form(stranger: Visitor, session: Session) -> None:
    form = {
        "csrf_token": csrf_token(stranger.get("/signup")),
        "username": (BytesIO(b"dana"), "dana.txt"), "password": PASSWORD,
    }  # fmt: skip

    answer = stranger.client.post("/signup", data=form, content_type="multipart/form-data")

    assert (answer.status_code, count_users(session)) == (422, 0)
    assert "Enter a username." in text_of(answer)


def test_more_fields_than_any_form_has_are_refused(stranger: Visitor) -> None:
    body = "&".join(f"a{number}=" for number in range(9000))

    for path in ("/organiser/lotteries/new", "/login", "/account/language"):
        answer = stranger.client.post(
            path, data=body, content_type="application/x-www-form-urlencoded"
        )

        assert answer.status_code == 413
        assert len(answer.data) < 20_000


def test_the_log_in_page_keeps_the_fields_of_the_form_and_no_others(
    cast: object, stranger: Visitor
) -> None:
    typed = {"name": "Spring Raffle", "current": "my secret", **{f"a{at}": "x" for at in range(50)}}

    for path, also in (
        ("/organiser/lotteries/new", {}),
        ("/login", {"resume": "/organiser/lotteries/new"}),
    ):
        token = csrf_token(stranger.get("/login"))
        answer = stranger.client.post(path, data={"csrf_token": token, **typed, **also})

        assert answer.status_code == 422
        assert 'value="Spring Raffle"' in answer.text
        assert 'name="a7"' not in answer.text
        assert "my secret" not in answer.text


def test_a_form_from_an_origin_that_is_none_is_not_filled_in(alice: Visitor) -> None:
    for origin in ("http://[", "null", "http://localhost:x"):
        answer = alice.client.post(
            "/organiser/lotteries/new", data={"name": "Spring Raffle"}, headers={"Origin": origin}
        )

        assert answer.status_code == 400
        assert "Spring Raffle" not in answer.text


def test_a_field_without_a_name_is_refused(stranger: Visitor, clock: Clock) -> None:
    body = b"--x\r\nContent-Disposition: form-data\r\n\r\ntext\r\n--x--\r\n"

    answer = stranger.client.post(
        "/login", data=body, content_type="multipart/form-data; boundary=x"
    )

    assert answer.status_code == 415
    assert "Nothing was saved." in text_of(answer)
