"""Second factor: what an account has besides its password, and who needs it to log in.

A passkey stands for both factors, since the device checks who is there. Codes of an authenticator
app are the second step after the password, and recovery codes stand in for either.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from lottery_system.errors import AccountClosed, LotteryError
from lottery_system.models.account_event import AccountEvent, AccountEventKind
from lottery_system.models.authenticator_app import AuthenticatorApp
from lottery_system.models.login_session import LoginSession
from lottery_system.models.lottery_edit import demand_organiser
from lottery_system.models.passkey import Passkey
from lottery_system.models.recovery_code import RecoveryCode
from lottery_system.models.user import LOCK, User


class NoSecondFactor(LotteryError):
    """There is nothing to remove."""

    def __init__(self, username: str) -> None:
        super().__init__(
            "%(name)s has neither passkeys nor an authenticator app. Nothing was changed.",
            name=username,
        )


class NotOfOrganisers(LotteryError):
    """Organisers remove nothing of organisers."""

    def __init__(self) -> None:
        super().__init__(
            "You can only do this for participants. For an organiser, ask whoever runs the server."
        )


@dataclass(frozen=True)
class Factors:
    """What an account has besides its password."""

    #: how many; those that are refused count too, so that refusing one asks for no less
    passkeys: int
    #: whether an authenticator app is set up
    has_app: bool
    recovery_codes: int

    @property
    def any(self) -> bool:
        """Return whether there is anything to take a second step with."""
        return bool(self.passkeys) or self.has_app

    def demanded(self, *, is_required: bool) -> bool:
        """Return whether a password alone does not log in.

        An app was set up for that. A passkey is a way of its own, unless more than a password is
        required.

        Args:
            is_required: whether the account is of somebody who must have a second factor.
        """
        return self.has_app or (is_required and self.any)


def factors_of(session: Session, user_id: int) -> Factors:
    """Return what an account has besides its password."""
    app = session.get(AuthenticatorApp, user_id)
    return Factors(
        passkeys=Passkey.count(session, user_id),
        has_app=app is not None and app.confirmed_at is not None,
        recovery_codes=RecoveryCode.count(session, user_id),
    )


def forget_factors(session: Session, user_id: int) -> None:
    """Remove all that an account has besides its password."""
    Passkey.remove_all(session, user_id)
    AuthenticatorApp.remove(session, user_id)
    RecoveryCode.remove_all(session, user_id)


def remove_factors(session: Session, user_id: int, now: datetime, by: int | None = None) -> User:
    """Remove an account's passkeys, app and codes for a holder who has lost them.

    The password stays what it is. All log-ins end, since they may be in what was lost.

    Args:
        by: the organiser who does it; None for a command of the operator.

    Raises:
        NotAnOrganiser: `by` is not an organiser, or is none any more.
        NotOfOrganisers: the account is an organiser's, and no command does it.
        AccountClosed: nobody can log in to it.
        NoSecondFactor: there is none.
    """
    demand_organiser(session, by)
    user = session.get_one(User, user_id, with_for_update=LOCK, populate_existing=True)
    if user.closed_at is not None:
        raise AccountClosed
    if user.is_organiser and by is not None:
        raise NotOfOrganisers
    if not factors_of(session, user_id).any:
        raise NoSecondFactor(user.username)
    forget_factors(session, user_id)
    LoginSession.close_all(session, user_id)
    AccountEvent.record(
        session,
        user_id,
        AccountEventKind.SECOND_FACTORS_REMOVED,
        now,
        actor_id=by,
        by_command=by is None,
    )
    return user
