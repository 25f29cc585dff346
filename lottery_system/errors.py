"""Domain errors, each with a sentence for the user. No HTTP."""

from datetime import date, datetime, timedelta
from math import ceil


class LotteryError(Exception):
    """The domain refuses; `str(error)` says what is wrong and what to do, in English.

    Args:
        sentence: as it stands in the catalogues, with `%(name)s` for what differs.
        values: what differs, by name.
    """

    def __init__(self, sentence: str = "", **values: object) -> None:
        plain = {name: _plain(value) for name, value in values.items()}
        super().__init__(sentence % plain if values else sentence)
        self.sentence = sentence
        self.values = values


def _plain(value: object) -> object:
    return f"{value:%H:%M} UTC" if isinstance(value, datetime) else value


class TooManyAttempts(LotteryError):
    """Something was tried too often.

    Args:
        wait: after which it may be tried again.
    """

    def __init__(self, wait: timedelta) -> None:
        super().__init__()
        self.seconds = max(1, ceil(wait.total_seconds()))


class TooEarly(LotteryError):
    """A day was to be closed before the midnight that ends it."""


class BadBeacon(LotteryError):
    """What was given is not the beacon's signature of the round that a day takes."""


class UnfitKeys(LotteryError):
    """The keys or settings at hand are not those with which the journal was begun."""


class OutdatedSchema(LotteryError):
    """The database is of another version than the code, older or newer."""


class DataWouldBeLost(LotteryError):
    """A migration taken back would drop what is stored."""


class Paused(LotteryError):
    """The lottery takes no ballots and makes no draws for now; trying again later is safe.

    Args:
        reason: what is wrong and what to do, for the operator; people are told only that it is so.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The lottery is paused. You can’t add ballots right now. Your ballots only count "
            "if you see a receipt. It’s safe to try again later. Nothing is counted twice. You "
            "can still look up past draws."
        )
        self.reason = reason


class UnknownLottery(LotteryError):
    """There is no such lottery."""

    def __init__(self) -> None:
        super().__init__("This lottery doesn’t exist.")


class LotteryFinished(LotteryError):
    """The lottery takes no more ballots."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "“%(name)s” has finished. No ballot was added. Choose a lottery that’s open.",
            name=name,
        )


class LotteryNotOpen(LotteryError):
    """The lottery opens on a later day."""

    def __init__(self, name: str, opens_on: date) -> None:
        super().__init__(
            "“%(name)s” opens on %(day)s. No ballot was added. Choose a lottery that’s open.",
            name=name,
            day=opens_on,
        )


class TooManyADay(LotteryError):
    """A submission exceeds the lottery's limit of ballots per person a day; none was added.

    Args:
        most: what the lottery allows.
        held: ballots that the participant has in it today.
    """

    def __init__(self, name: str, most: int, held: int) -> None:
        if held < most:
            super().__init__(
                "“%(name)s” takes at most %(most)s a day from each person, and you have %(held)s "
                "in today. None of these ballots was added. Add %(left)s or fewer.",
                name=name,
                most=most,
                held=held,
                left=most - held,
            )
        else:
            super().__init__(
                "“%(name)s” takes at most %(most)s a day from each person, and you have %(held)s "
                "in today. No ballot was added. You can add more tomorrow.",
                name=name,
                most=most,
                held=held,
            )


class AllPrizesWon(LotteryError):
    """The last prize of the lottery is won."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "All prizes of “%(name)s” are won. No ballot was added. Choose another lottery.",
            name=name,
        )


class LastPrizeUndecided(LotteryError):
    """Pending draws may win the last prize of the lottery.

    Args:
        day: of the first of these draws.
        at: about when it takes place.
    """

    def __init__(self, name: str, day: date, at: datetime) -> None:
        super().__init__(
            "The draw of %(day)s may win the last prize of “%(name)s”. No ballot was added. You "
            "can add ballots again after it, at about %(time)s, if a prize is left.",
            day=day,
            name=name,
            time=at,
        )


class LastPrizeWaits(LotteryError):
    """The last prize of the lottery waits for a reserve of an earlier draw."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "The last prize of “%(name)s” may go to a reserve of an earlier draw. No ballot was "
            "added. Choose another lottery, or try again tomorrow.",
            name=name,
        )


class OrganiserMayNotPlay(LotteryError):
    """Organisers cannot add ballots, unless LOTTERY_ORGANISERS_PLAY is on."""

    def __init__(self) -> None:
        super().__init__(
            "Organisers can’t take part in this lottery. No ballot was added. Log in as a "
            "participant to play."
        )


class AccountBlocked(LotteryError):
    """An organiser has blocked the account."""

    def __init__(self) -> None:
        super().__init__(
            "An organiser has blocked this account. No ballot was added. The ballots that you "
            "added before stay in their draws."
        )


class AccountClosed(LotteryError):
    """The holder has closed the account."""

    def __init__(self) -> None:
        super().__init__("This account is closed. Nobody can log in to it any more.")


class NotAnOrganiser(LotteryError):
    """Only organisers may do this."""

    def __init__(self) -> None:
        super().__init__("Only organisers can do this. Ask whoever runs the server.")


class NotYourPrize(LotteryError):
    """The user was not offered the prize of that place."""

    def __init__(self) -> None:
        super().__init__("You have no prize to claim here. Look at your ballots for the results.")


class AlreadyClaimed(LotteryError):
    """The prize was claimed before."""

    def __init__(self) -> None:
        super().__init__("This prize has been claimed already. You don’t need to do it again.")


class ClaimOver(LotteryError):
    """The prize lapsed, or its deadline is over."""

    def __init__(self) -> None:
        super().__init__("This prize can’t be claimed any more. The time to claim it is over.")


class NotClaimed(LotteryError):
    """The prize cannot be handed over, since it was not claimed."""

    def __init__(self) -> None:
        super().__init__("This prize hasn’t been claimed yet. Ask the winner to claim it first.")


class AlreadyHandedOver(LotteryError):
    """The prize was handed over before."""

    def __init__(self) -> None:
        super().__init__("This prize has been handed over already. Nothing was changed.")


class AlreadyLapsed(LotteryError):
    """The prize lapsed before."""

    def __init__(self) -> None:
        super().__init__("This prize has lapsed already. Nothing was changed.")


class NoPrize(LotteryError):
    """Nobody was offered the prize of that place."""

    def __init__(self) -> None:
        super().__init__("There’s no prize of that day and place to hand over or withdraw.")


class TokenTaken(LotteryError):
    """A submission's token was used by somebody else."""

    def __init__(self) -> None:
        super().__init__("This form isn’t yours or is out of date. No ballot was added. Try again.")


class NotAdmitted(LotteryError):
    """The ballot box could not take the submission now; whether it was stored is unknown.

    Retrying with the same token is safe: if it was stored after all, the first answer is returned.
    """

    def __init__(self) -> None:
        super().__init__(
            "We couldn’t accept your ballots just now. They only count if you see a receipt. It’s "
            "safe to try again. Nothing is counted twice."
        )


class TooManyBallots(LotteryError):
    """A participant has added as many ballots as the rate allows by now; none was added.

    Args:
        per_hour: what the rate allows.
        held: ballots that the participant has in the day.
        until: from when on the same is within the rate.
    """

    def __init__(self, per_hour: int, held: int, until: datetime) -> None:
        super().__init__(
            "That’s too many at once. You can add %(per_hour)s ballots for each hour of the day, "
            "and you’ve added %(held)s today. None of these ballots was added. You can add them "
            "from %(time)s on.",
            per_hour=per_hour,
            held=held,
            time=until,
        )
        self.until = until


class AlreadyDownloading(LotteryError):
    """An account or a network has a download running."""

    def __init__(self) -> None:
        super().__init__(
            "One download at a time: another one from your account or your network is still "
            "running. Wait until it’s done, then try again."
        )
