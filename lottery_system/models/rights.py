"""Rights of organisers: who becomes one, and who is one no longer; never nobody.

Whoever changes rights locks the rows of all organisers first, in the order of their numbers. So of
two organisers who demote each other at once the second is no organiser any more. A trigger refuses
that the last one is demoted, whatever else is done.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.errors import AccountClosed, LotteryError
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.login_session import LoginSession
from lottery_system.models.lottery_edit import demand_organiser
from lottery_system.models.user import LOCK, User


class LastOrganiser(LotteryError):
    """Nobody else is an organiser; nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "There must always be an organiser, and there is no other one. Make somebody else an "
            "organiser first. Nothing was changed."
        )


class CannotPromote(LotteryError):
    """A blocked account cannot be an organiser's; nothing was changed."""

    def __init__(self, username: str) -> None:
        super().__init__(
            "%(name)s is blocked. Unblock them first, then make them an organiser.", name=username
        )


class SameRights(LotteryError):
    """The user has these rights already; nothing was changed."""

    def __init__(self, username: str, *, is_organiser: bool) -> None:
        if is_organiser:
            super().__init__(
                "%(name)s is an organiser already. Nothing was changed.", name=username
            )
        else:
            super().__init__("%(name)s is not an organiser. Nothing was changed.", name=username)


def set_organiser(
    session: Session,
    user_id: int,
    is_organiser: bool,
    now: datetime,
    by: int | None = None,
) -> User:
    """Make a user an organiser, or a participant again, and end the user's log-ins.

    No log-in goes on with other rights than it began with (OWASP ASVS 5.0, 7.4.2 and 7.2.4).

    Args:
        by: the organiser who does it, perhaps the user; None for a command of the operator.

    Raises:
        NotAnOrganiser: `by` is not an organiser, or is none any more.
        SameRights: nothing would change.
        LastOrganiser: nobody else is an organiser.
        AccountClosed: nobody can log in to it.
        CannotPromote: the account is blocked.
    """
    organisers = lock_organisers(session)
    demand_organiser(session, by)
    user = session.get_one(User, user_id, with_for_update=LOCK, populate_existing=True)
    if user.is_organiser == is_organiser:
        raise SameRights(user.username, is_organiser=is_organiser)
    if user.closed_at is not None:
        raise AccountClosed
    if user.blocked_at is not None:
        raise CannotPromote(user.username)
    if not is_organiser:
        demand_another(organisers, user_id)
    user.is_organiser = is_organiser
    session.flush()
    LoginSession.close_all(session, user_id)
    AccountEvent.record(
        session,
        user_id,
        AccountEventKind.PROMOTED if is_organiser else AccountEventKind.DEMOTED,
        now,
        actor_id=by,
        by_command=by is None,
    )
    return user


def lock_organisers(session: Session) -> list[int]:
    """Lock the rows of all organisers until the transaction ends, and return who they are."""
    query = (
        select(User.id).where(User.is_organiser).order_by(User.id).with_for_update(key_share=True)
    )
    return list(session.scalars(query))


def demand_another(organisers: list[int], user_id: int) -> None:
    """Refuse that the last organiser goes.

    Args:
        organisers: what `lock_organisers` returned in this transaction.

    Raises:
        LastOrganiser: there is no other one.
    """
    if organisers == [user_id]:
        raise LastOrganiser
