"""PostgreSQL connections cut at any moment.

The worst moment is after a commit and before its answer: the ballots are stored, and neither the
lottery nor the player knows it.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from tests.stand_ins.players import Player
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.proxy import Proxy
from tests.stand_ins.strikes import STRIKES, check, complaints, suffer

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

#: bytes that a connection lives for, at most: a few submissions
MOST_BYTES = 40_000
CUTS = 10


@pytest.fixture
def proxy(postgres: Server) -> Iterator[Proxy]:
    proxy = Proxy(postgres.port)
    yield proxy
    proxy.close()


@pytest.fixture
def served_url(database_url: str, proxy: Proxy) -> str:
    url = make_url(database_url).set(port=proxy.port)
    return url.render_as_string(hide_password=False)


# one, which has ticked by the time that players are there: no commit but theirs is to be cut
one_worker = pytest.mark.parametrize("workers", [1])


@one_worker
def test_ballots_stored_without_an_answer_are_acknowledged_once_when_sent_again(
    server: Gunicorn, proxy: Proxy, players: list[Player], session: Session
) -> None:
    for player in players[:STRIKES]:
        proxy.cut_commits(1)
        player.play()
        assert player.turned_away_count == 1

    assert len(complaints(server)) == proxy.cut_count
    assert all("not admitted" in line for line in complaints(server))
    check(server, players, session)


def test_commits_that_are_cut_again_and_again_lose_nothing_and_count_nothing_twice(
    server: Gunicorn, proxy: Proxy, players: list[Player], session: Session
) -> None:
    def cut_commits() -> None:
        count = proxy.cut_count
        proxy.cut_commits(CUTS)
        wait_for(lambda: proxy.cut_count >= count + CUTS, "commits without an answer")

    suffer(server, players, cut_commits)

    assert any(player.turned_away_count for player in players)
    check(server, players, session)


def test_connections_cut_at_any_byte_lose_nothing_and_count_nothing_twice(
    server: Gunicorn, proxy: Proxy, players: list[Player], session: Session
) -> None:
    def cut_anywhere() -> None:
        count = proxy.cut_count
        proxy.cut_anywhere(MOST_BYTES)
        wait_for(lambda: proxy.cut_count >= count + CUTS, "cuts")
        proxy.leave_alone()

    suffer(server, players, cut_anywhere)

    check(server, players, session)


@one_worker
def test_the_comparison_finds_ballots_that_are_stored_and_not_acknowledged(
    server: Gunicorn, proxy: Proxy, players: list[Player], session: Session
) -> None:
    """So it would be if the token were not remembered, or not sent again."""
    proxy.cut_commits(1)
    players[0].hang_up(players[0].form(), 5)
    wait_for(lambda: proxy.cut_count, "a commit without an answer")
    players[0].play()

    with pytest.raises(AssertionError, match="submissions: 1 are too many"):
        check(server, players, session)
