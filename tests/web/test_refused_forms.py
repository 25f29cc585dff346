"""Form origin: forms of this site are accepted, others are refused with the reason."""

import logging

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.conftest import Clock
from tests.web.conftest import Visitor, csrf_token, text_of
from tests.web.pages.test_sign_up import count_users

PRODUCTION = {
    "LOTTERY_ENV": "production", "LOTTERY_SECRET_KEY": "k" * 32, "LOTTERY_NAME": "a.example",
}  # fmt: skip
SITE = "https://lottery.example"
FORM = {"username": "dana", "password": "seven lazy badgers"}


@pytest.fixture
def given_settings() -> dict[str, str]:
    return PRODUCTION


def send(visitor: Visitor, headers: dict[str, str], root: str = SITE) -> tuple[int, str]:
    """Sign up from the page of a form, and return the status and what the answer says."""
    token = csrf_token(visitor.get("/signup", base_url=root))
    answer = visitor.client.post(
        "/signup", base_url=root, data={"csrf_token": token, **FORM}, headers=headers
    )
    return answer.status_code, text_of(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": SITE},
        {"Origin": f"{SITE}:443"},
        {"Origin": SITE.upper()},
        {"Referer": f"{SITE}/signup"},
        {"Origin": "null", "Referer": f"{SITE}/signup"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Host": "lottery.example:8443"},
    ],
)
def test_any_word_of_the_browser_that_a_form_is_ours_is_enough(
    clock: Clock, stranger: Visitor, session: Session, headers: dict[str, str]
) -> None:
    assert send(stranger, headers)[0] == 303
    assert count_users(session) == 1


def test_a_site_whose_name_has_letters_beyond_ascii_takes_its_own_forms(
    clock: Clock, stranger: Visitor, session: Session
) -> None:
    root = "https://xn--glck-0ra.example"

    assert send(stranger, {"Origin": root}, root)[0] == 303
    assert count_users(session) == 1


@pytest.mark.parametrize(
    ("headers", "says", "reason"),
    [
        ({}, "doesn’t say which website this form is from", "no_origin"),
        ({"Origin": "null"}, "doesn’t say which website this form is from", "no_origin"),
        ({"Referer": "http://["}, "doesn’t say which website this form is from", "no_origin"),
        ({"Origin": "https://evil.example"}, "wasn’t sent from this website", "foreign_origin"),
        ({"Origin": "http://lottery.example"}, "wasn’t sent from this website", "foreign_origin"),
        ({"Origin": "null", "Referer": "https://evil.example/"}, "wasn’t sent", "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "wasn’t sent from this website", "foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, "wasn’t sent from this website", "foreign_origin"),
        (
            {"Origin": f"{SITE}:8443"},
            f"This form came from {SITE}:8443, but the website thinks it is at {SITE}.",
            "other_port",
        ),
        (
            {"Referer": f"{SITE}:8443/signup"},
            f"This form came from {SITE}:8443/signup, but the website thinks it is at {SITE}.",
            "other_port",
        ),
    ],
)
def test_a_form_that_nobody_says_is_ours_is_refused_with_the_reason(
    clock: Clock, stranger: Visitor, session: Session, caplog: pytest.LogCaptureFixture,
    headers: dict[str, str], says: str, reason: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO, "lottery_system.security")

    status, text = send(stranger, headers)

    assert (status, count_users(session)) == (400, 0)
    assert says in text
    assert f"reason={reason}" in caplog.text


@pytest.mark.parametrize("given_settings", [PRODUCTION | {"LOTTERY_URL": f"{SITE}:8443"}])
def test_the_public_address_is_ours_whatever_the_proxy_passes_on(
    clock: Clock, stranger: Visitor, session: Session
) -> None:
    assert send(stranger, {"Origin": f"{SITE}:8443"})[0] == 303
    assert count_users(session) == 1


def test_production_over_plain_http_is_told_to_be_opened_by_https(
    clock: Clock, app: Flask, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lottery_system.security")
    root = "http://lottery.example"
    browser = Visitor(app.test_client(use_cookies=False))  # as one does with `Secure` cookies there

    status, text = send(browser, {"Origin": root}, root)

    assert (status, count_users(session)) == (400, 0)
    assert "Open it with https." in text
    assert "reason=plain_http" in caplog.text


@pytest.mark.parametrize("given_settings", [{}, PRODUCTION])
def test_a_browser_that_keeps_no_cookies_is_told_to_allow_them(
    clock: Clock, app: Flask, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "lottery_system.security")
    browser = Visitor(app.test_client(use_cookies=False))

    status, text = send(browser, {"Origin": SITE})

    assert (status, count_users(session)) == (400, 0)
    assert "allow cookies for this website" in text
    assert "dana" in browser.client.post("/signup", data=FORM, base_url=SITE).text
    assert "reason=no_cookie" in caplog.text


@pytest.mark.parametrize("given_settings", [{}])
def test_without_tls_the_token_is_enough(clock: Clock, stranger: Visitor, session: Session) -> None:
    assert send(stranger, {}, "http://lottery.example")[0] == 303
    assert count_users(session) == 1


@pytest.mark.parametrize("given_settings", [{"LOTTERY_TRUSTED_PROXIES": "1"}])
def test_a_proxy_that_tells_no_scheme_keeps_nobody_out(
    clock: Clock, stranger: Visitor, session: Session
) -> None:
    assert send(stranger, {"Origin": SITE}, "http://lottery.example")[0] == 303
