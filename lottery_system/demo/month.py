"""The demo's month: each day is played by the code of any lottery, at instants of that day."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from os import urandom
from secrets import token_urlsafe
from uuid import uuid4

from lottery_system import claims, draws
from lottery_system.ballot_box import BallotBox
from lottery_system.clock import ONE_DAY, day_of, starts_at
from lottery_system.demo import prizes
from lottery_system.demo.dice import choice, roll
from lottery_system.demo.lotteries import (
    BETTER,
    BETTER_ON,
    BETTER_PRIZE,
    DAYS,
    INVITATION,
    LOTTERIES,
    SITE,
    WITHDRAWN,
    WITHDRAWN_ON,
    open_on,
)
from lottery_system.demo.people import ORGANISERS, PLAYERS, Player
from lottery_system.errors import (
    AllPrizesWon,
    LastPrizeUndecided,
    LastPrizeWaits,
    LotteryFinished,
    TooManyADay,
)
from lottery_system.extensions import db, new_session, transaction
from lottery_system.models import (
    AccountEvent,
    AccountEventKind,
    AskedBallots,
    Invitation,
    LogKeys,
    Lottery,
    SiteChange,
    User,
)
from lottery_system.models.lottery_edit import edit_lottery, withdraw_lottery
from lottery_system.parts import Parts
from lottery_system.passwords import hash_password
from lottery_system.usernames import enforce_username

#: something that happens at an instant
Event = tuple[datetime, Callable[[], None]]

#: days on which nobody plays
QUIET = frozenset({6, 18})
#: ballots of a click
COUNTS = (1, 1, 1, 2, 2, 3, 5, 10)
#: clicks of a player on a day
MOST_CLICKS = 3
#: clicks of today at least, however early it is
LEAST_TODAY = 6
#: why a ballot of the month may be refused, as it may be on any day
REFUSALS = (AllPrizesWon, LastPrizeUndecided, LastPrizeWaits, LotteryFinished, TooManyADay)


class Month:
    """The month before an instant, and its own day so far.

    Args:
        parts: of the application, whose database is empty.
        now: the instant up to which it is played.
        entropy: returns as many random bytes as it is asked for; pictures are taken with some that
            are always the same.
    """

    def __init__(
        self, parts: Parts, now: datetime, entropy: Callable[[int], bytes] = urandom
    ) -> None:
        self._parts = parts
        self._now = now
        self._entropy = entropy
        self._first = day_of(now) - DAYS * ONE_DAY
        self._at = starts_at(self._first)
        self._box = BallotBox(db.engine, parts.pause, parts.rollback, utcnow=lambda: self._at)
        self._users: dict[str, int] = {}
        self._lotteries: dict[str, int] = {}
        self._invitation = ""
        # one that nobody knows: visitors enter by the demo's doors
        self._password_hash = hash_password(token_urlsafe())

    def play(self) -> None:
        """Play it, from the first sign-up to the latest ballot."""
        log_keys = self._parts.keyring.begin(self._at)
        for number in range(DAYS + 1):
            self._draw(number, log_keys)
            for at, happens in sorted(self._events(number), key=itemgetter(0)):
                if at <= self._now:
                    self._at = at
                    happens()
        self._box.drain()

    def _draw(self, number: int, log_keys: LogKeys) -> None:
        """Do what a tick does at the midnight that begins a day."""
        midnight = self._midnight(number)
        settings, rollback = self._parts.settings, self._parts.rollback
        with new_session() as session:
            draws.run_due(
                session, midnight, settings.places, log_keys,
                rollback=rollback, claim_days=settings.claim_days,
            )  # fmt: skip
            claims.run_due(session, midnight, settings.claim_days, rollback=rollback)
            with session.begin():  # whoever played yesterday saw the results of the days before
                today = day_of(midnight)
                for player in self._players(number - 1):
                    user_id = self._users[player.name]
                    User.see_results(session, user_id, today - 2 * ONE_DAY, today)

    def _events(self, number: int) -> Iterator[Event]:
        """List what happens on a day, by the dice and by what has happened before."""
        if number == 0:
            yield self._midnight(0) + timedelta(hours=7), self._open
        for place, player in enumerate(PLAYERS):
            if player.joins == number:
                at = self._midnight(number) + timedelta(hours=8, minutes=place)
                yield at, partial(self._sign_up, player)
        if number == BETTER_ON:
            yield self._midnight(number) + timedelta(hours=11), self._improve
        if number == WITHDRAWN_ON:
            yield self._midnight(number) + timedelta(hours=16), self._withdraw
        with new_session() as session:
            yield from prizes.events(
                session, self._midnight(number), number, self._users, self._parts.settings
            )
        yield from self._clicks(number)

    def _clicks(self, number: int) -> list[Event]:
        """List the ballots of a day; of today, as many as there may be by now."""
        if number in QUIET:
            return []
        midnight = self._midnight(number)
        clicks = [
            (player, click)
            for player in self._players(number)
            for click in range(1 + int(roll("clicks", number, player.name) * MOST_CLICKS))
        ]
        # nobody plays before having signed up
        begins, length = midnight + timedelta(hours=9), timedelta(hours=15)
        if number == DAYS:
            begins, length = midnight, self._now - midnight
            clicks.sort(key=lambda each: roll("early", *each))
            clicks = clicks[: max(LEAST_TODAY, round(len(clicks) * (length / ONE_DAY)))]
        return [
            (
                begins + length * roll("when", number, player.name, click),
                partial(self._add, number, player, click),
            )
            for player, click in clicks
        ]

    def _players(self, number: int) -> list[Player]:
        """List who plays on a day."""
        return [
            player for player in PLAYERS
            if player.joins <= number and roll("plays", number, player.name) < player.loyalty
        ]  # fmt: skip

    def _open(self) -> None:
        """Sign the organisers up, and have them make the site and its lotteries."""
        for name in ORGANISERS:
            with transaction() as session:
                user = User.sign_up(
                    enforce_username(name), self._password_hash, self._at, is_organiser=True
                )
                session.add(user)
                session.flush()
                AccountEvent.record(
                    session, user.id, AccountEventKind.SIGNED_UP, self._at, by_command=True
                )
                self._users[name] = user.id
        organiser = self._users[ORGANISERS[0]]
        with transaction() as session:
            SiteChange.add(session, SITE, None, self._at, organiser)
            _, self._invitation = Invitation.make(
                session, INVITATION, self._at, uses=50, days=2 * DAYS, by=organiser
            )
            for each in LOTTERIES:
                lottery = Lottery.create(
                    each.name, each.prize, self._first + each.closes * ONE_DAY, self._at, organiser,
                    opens_on=self._first + each.opens * ONE_DAY, claim=each.claim,
                    limits=each.limits,
                )  # fmt: skip
                session.add(lottery)
                session.flush()
                self._lotteries[each.name] = lottery.id

    def _sign_up(self, player: Player) -> None:
        with transaction() as session:
            name = enforce_username(player.name)
            user = User.sign_up(name, self._password_hash, self._at)
            newest = SiteChange.newest(session)
            user.accepted_terms = newest.id if newest else None
            session.add(user)
            session.flush()
            kind = AccountEventKind.SIGNED_UP
            if player.is_invited:
                Invitation.use(session, self._invitation, user.id, self._at)
                kind = AccountEventKind.JOINED_BY_INVITATION
            AccountEvent.record(session, user.id, kind, self._at)
            self._users[player.name] = user.id

    def _add(self, number: int, player: Player, click: int) -> None:
        """Add the ballots of a click."""
        dice = (number, player.name, click)
        lottery = self._lotteries[choice(open_on(number), "which", *dice).name]
        with suppress(*REFUSALS):
            self._box.submit(
                AskedBallots.of(
                    token=uuid4(),
                    user_id=self._users[player.name],
                    username=player.name,
                    lottery_id=lottery,
                    ballot_count=choice(COUNTS, "count", *dice),
                    entropy=self._entropy,
                )
            )

    def _improve(self) -> None:
        """Have an organiser promise a better prize."""
        lottery_id = self._lotteries[BETTER.name]
        with transaction() as session:
            found = session.get_one(Lottery, lottery_id)
            edit_lottery(
                session, lottery_id, self._at, self._users[ORGANISERS[0]],
                name=found.name, prize=BETTER_PRIZE, closes_on=found.closes_on,
            )  # fmt: skip

    def _withdraw(self) -> None:
        """Have an organiser withdraw a lottery."""
        with transaction() as session:
            withdraw_lottery(
                session, self._lotteries[WITHDRAWN.name], lambda: self._at,
                self._users[ORGANISERS[1]],
            )  # fmt: skip

    def _midnight(self, number: int) -> datetime:
        return starts_at(self._first + number * ONE_DAY)
