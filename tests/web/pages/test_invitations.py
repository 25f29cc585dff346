"""Organisers' pages of invitations."""

import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Invitation, User
from tests.conftest import FIRST_NOON, Cast
from tests.web.conftest import Visitor, text_of

AT = "/organiser/invitations"


def make(alice: Visitor, **fields: str) -> str:
    """Make an invitation and return its link's path."""
    page = alice.post(AT, **{"label": "Poster in the hall", "uses": "2", "days": "7"} | fields)
    assert page.status_code == 200
    found = re.search(r"<textarea[^>]*>http://localhost(/join\?link=[^<]+)<", page.text)
    assert found
    assert 'class="code"' in page.text  # the QR code
    return found[1]


def test_an_organiser_makes_an_invitation_whose_link_is_shown_once(
    alice: Visitor, stranger: Visitor, session: Session
) -> None:
    link = make(alice)

    with session.begin():
        (row,) = session.scalars(select(Invitation)).all()
    assert (row.label, row.uses, row.expires_at) == (
        "Poster in the hall", 2, FIRST_NOON + 7 * ONE_DAY,
    )  # fmt: skip
    for path in (AT, f"{AT}/1"):
        page = alice.get(path)
        assert "Poster in the hall" in text_of(page)
        assert link.partition("=")[2] not in page.text
    stranger.get(link)
    stranger.post("/join", username="dana", password="correct horse")
    assert "1 of 2" in text_of(alice.get(AT))
    assert "dana" in text_of(alice.get(f"{AT}/1"))


def test_an_invitation_is_ended_and_lets_nobody_in(
    alice: Visitor, stranger: Visitor, session: Session
) -> None:
    link = make(alice)

    ended = alice.post(f"{AT}/1/end", f"{AT}/1")
    again = alice.post(f"{AT}/1/end", AT)

    assert (ended.status_code, again.status_code) == (303, 303)
    page = text_of(alice.get(f"{AT}/1"))
    assert "The invitation has ended." in page
    assert "End invitation" not in page
    stranger.get(link)
    assert stranger.get("/join").status_code == 410


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"label": " "}, "Enter a name, so that you can tell"),
        ({"label": "x" * 81}, "at most 80 characters"),
        ({"label": "a\u202eb"}, "Remove the invisible characters"),
        ({"uses": ""}, "Enter a whole number from 1 to 10,000."),
        ({"uses": "0"}, "Enter a whole number from 1 to 10,000."),
        ({"uses": "10001"}, "Enter a whole number from 1 to 10,000."),
        ({"days": "367"}, "Enter a whole number from 1 to 366."),
        ({"days": "-1"}, "Enter a whole number from 1 to 366."),
        ({"days": "1e9"}, "Enter a whole number from 1 to 366."),
    ],
)
def test_a_bad_invitation_is_refused_at_its_field_and_what_was_typed_stays(
    alice: Visitor, session: Session, fields: dict[str, str], says: str
) -> None:
    answer = alice.post(AT, **{"label": "Hall", "uses": "12", "days": "7"} | fields)

    assert (answer.status_code, says in text_of(answer)) == (422, True)
    assert f'value="{fields.get("uses", "12")}"' in answer.text
    with session.begin():
        assert session.scalars(select(Invitation)).all() == []


def test_pages_of_invitations_are_for_organisers(
    bob: Visitor, alice: Visitor, session: Session, cast: Cast
) -> None:
    make(alice)

    assert (bob.get(AT).status_code, bob.get(f"{AT}/1").status_code) == (403, 403)
    assert bob.post(AT, "/account", label="Mine", uses="1", days="1").status_code == 403
    assert bob.post(f"{AT}/1/end", "/account").status_code == 403
    assert alice.get(f"{AT}/2").status_code == 404
    assert alice.post(f"{AT}/2/end", AT).status_code == 404


def test_long_lists_have_pages(alice: Visitor, session: Session, cast: Cast) -> None:
    with session.begin():
        for number in range(51):
            label = f"Invitation {number + 1}"
            token = Invitation.make(session, label, FIRST_NOON, uses=60, days=1, by=cast.alice.id)[
                1
            ]
        for number in range(51):
            user = User.sign_up(f"guest{number + 1}", "", FIRST_NOON)
            session.add(user)
            session.flush()
            Invitation.use(session, token, user.id, FIRST_NOON)

    first, guests = alice.get(AT), alice.get(f"{AT}/51")

    assert f'href="{AT}?before=2"' in first.text
    assert "Invitation 1 " in text_of(alice.get(f"{AT}?before=2"))
    assert f'href="{AT}/51?before=2"' in guests.text
    assert "guest1 ," in text_of(alice.get(f"{AT}/51?before=2"))
    assert "Show the newest" in text_of(alice.get(f"{AT}?before=1"))
