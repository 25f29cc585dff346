"""Fragments: cached parts of pages show their values alone, and have each page's own tokens."""

import re

import pytest
from flask import Flask, g
from jinja2 import DictLoader
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Holding, Lottery
from lottery_system.web.fragments import Fragments
from lottery_system.web.jinja import EachLanguage
from tests.conftest import FIRST_DAY, FIRST_NOON
from tests.web.conftest import LogIn, Visitor

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def fragments_of(app: Flask, template: str) -> Fragments:
    loader = DictLoader({"part.html": template})
    app.jinja_env.loader = EachLanguage(loader)
    return Fragments(app)


def tokens(page: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]+)"', page)


@SQLITE
@pytest.mark.parametrize(
    "template",
    [
        "{{ request.args }}",
        "{{ session.secret }}",
        "{{ csrf_token() }}",
        "{{ in_language('de') }}",
    ],
)
def test_a_fragment_that_reads_the_request_fails(app: Flask, template: str) -> None:
    fragment = fragments_of(app, template)

    with app.test_request_context("/?utm=secret"), pytest.raises(RuntimeError, match="outside of"):
        fragment("part.html")


@SQLITE
def test_a_fragment_is_rendered_again_for_another_value_language_or_path(app: Flask) -> None:
    fragment = fragments_of(app, "{{ name }} {{ language() }} {{ url_for('winners.index') }}")
    shown = []
    for path, name in (("/", "a"), ("/", "a"), ("/?lang=de", "a"), ("/", "b")):
        with app.test_request_context(path):
            shown.append(str(fragment("part.html", name=name)))
    with app.test_request_context(base_url="https://other.example/below"):
        shown.append(str(fragment("part.html", name="a")))

    assert shown == [
        "a en /winners",
        "a en /winners",
        "a de /winners",
        "b en /winners",
        "a en /below/winners",
    ]
    assert fragment._cached.cache_info().hits == 1


@SQLITE
def test_a_fragment_is_rendered_again_for_another_time_zone(app: Flask) -> None:
    fragment = fragments_of(app, "{{ at|clock }}")
    shown = []
    for zone in (None, "Asia/Kathmandu", "Europe/Berlin", None, "Asia/Kathmandu"):
        with app.test_request_context():
            g.time_zone = zone
            shown.append(re.sub(r"<[^>]+>", "", fragment("part.html", at=FIRST_NOON)))

    assert shown == [
        "12:00 UTC",
        "17:45 your time (12:00 UTC)",
        "13:00 your time (12:00 UTC)",
        "12:00 UTC",
        "17:45 your time (12:00 UTC)",
    ]
    assert fragment._cached.cache_info().hits == 2


@SQLITE
def test_what_a_fragment_shows_is_escaped(app: Flask) -> None:
    fragment = fragments_of(app, "{{ name }}")

    with app.test_request_context():
        assert fragment("part.html", name="<script>") == "&lt;script&gt;"


def test_each_form_of_each_page_has_a_token_of_its_own(
    session: Session, log_in: LogIn, big_chance: Lottery
) -> None:
    with session.begin():
        session.add(Lottery.create("Small Chance", "", FIRST_DAY + ONE_DAY, FIRST_NOON))
    bob, charlie = log_in("bob"), log_in("charlie")
    pages = [each.get("/").text for each in (bob, bob, charlie)]

    submissions = [each for page in pages for each in tokens(page, "submission")]
    assert len(submissions) == len(set(submissions)) == 3 * 4
    for visitor, page in ((bob, pages[1]), (charlie, pages[2])):
        form = {"csrf_token": tokens(page, "csrf_token")[-1], "submission": submissions.pop()}
        sent = visitor.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)
        assert sent.status_code == 303
    with session.begin():
        assert session.scalar(select(func.sum(Holding.ballot_count))) == 2
    assert not any("\0" in page for page in pages)


def test_what_somebody_typed_does_not_fill_the_cache(
    app: Flask, bob: Visitor, big_chance: Lottery
) -> None:
    fragment = app.jinja_env.globals["fragment"]
    assert isinstance(fragment, Fragments)
    sizes = []
    for typed in ("no number", "12345678901234567890"):
        refused = bob.submit(big_chance.id, count=typed)
        assert refused.status_code == 422
        assert f'value="{typed}"' in refused.text
        sizes.append(fragment._cached.cache_info().currsize)

    assert sizes[0] == sizes[1]
