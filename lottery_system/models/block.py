"""Block: an organiser keeps a participant out, with a reason, and lets them in again.

All log-ins end, and there are no new ones and no new ballots, also of those that are waiting to be
admitted: blocking holds the lock of the days, under which `admission` asks who is blocked. Ballots
that are in stay in their draws. The prizes of whoever is blocked lapse at the next tick, see
`claim.lapse_blocked`.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from lottery_system.errors import AccountClosed, LotteryError
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.account_link import AccountLink
from lottery_system.models.draw import Draw
from lottery_system.models.login_session import LoginSession
from lottery_system.models.lottery_edit import demand_organiser
from lottery_system.models.user import BLOCK_REASON_LENGTH, LOCK, User
from lottery_system.text_input import BadText, enforce_line


class CannotBlock(LotteryError):
    """The account cannot be blocked, or unblocked, as it is; nothing was changed."""


def enforce_block_reason(text: str) -> str:
    """Validate why somebody is blocked, which is required, and return it normalised.

    Raises:
        BadText: with a sentence for the organiser.
    """
    too_long = BadText(
        "The reason can be at most %(most)s characters long.", most=BLOCK_REASON_LENGTH
    )
    reason = enforce_line(text, BLOCK_REASON_LENGTH, too_long)
    if not reason:
        raise BadText("Enter a reason. The participant is told when logging in.")
    return reason


def block(session: Session, user_id: int, reason: str, now: datetime, by: int) -> User:
    """Block a participant.

    Args:
        reason: the participant and organisers can read it.
        by: the organiser.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
        CannotBlock: it is `by` itself or an organiser, or is blocked already.
        AccountClosed: there is nobody to keep out.
        BadText: the reason is missing or invalid.
    """
    Draw.hold_all(session.connection())
    demand_organiser(session, by)
    reason = enforce_block_reason(reason)
    user = _locked(session, user_id)
    if user_id == by:
        raise CannotBlock("You can’t block yourself.")
    if user.is_organiser:
        raise CannotBlock(
            "%(name)s is an organiser. Make them a participant first, then block them.",
            name=user.username,
        )
    if user.blocked_at is not None:
        raise CannotBlock("%(name)s is blocked already. Nothing was changed.", name=user.username)
    user.blocked_at, user.block_reason = now, reason
    LoginSession.close_all(session, user_id)
    AccountLink.end_all(session, user_id, now)
    AccountEvent.record(session, user_id, AccountEventKind.BLOCKED, now, actor_id=by, detail=reason)
    return user


def unblock(session: Session, user_id: int, now: datetime, by: int) -> User:
    """Let a participant in again; prizes that lapsed meanwhile do not come back.

    Raises:
        NotAnOrganiser: `by` is not an organiser.
        CannotBlock: the account is not blocked.
        AccountClosed: there is nobody to let in.
    """
    demand_organiser(session, by)
    user = _locked(session, user_id)
    if user.blocked_at is None:
        raise CannotBlock("%(name)s is not blocked. Nothing was changed.", name=user.username)
    user.blocked_at = user.block_reason = None
    AccountEvent.record(session, user_id, AccountEventKind.UNBLOCKED, now, actor_id=by)
    return user


def _locked(session: Session, user_id: int) -> User:
    user = session.get_one(User, user_id, with_for_update=LOCK, populate_existing=True)
    if user.closed_at is not None:
        raise AccountClosed
    return user
