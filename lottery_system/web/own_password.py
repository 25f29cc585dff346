"""One's own password, asked for before something that must not be done by a stolen log-in."""

from flask_babel import gettext
from wtforms import Field

from lottery_system.access import viewer
from lottery_system.extensions import db, transaction
from lottery_system.models import User
from lottery_system.passwords import check_password
from lottery_system.security_log import note
from lottery_system.web.log_in_throttle import Attempt


def checked_password(field: Field) -> str | None:
    """Check one's own password, and return its hash; None, and why, where it is another.

    Guessing is bounded as at the log-in.

    Raises:
        TooManyAttempts: there were too many wrong ones.
    """
    attempt = Attempt(viewer().username)
    attempt.take()
    password_hash = db.session().get_one(User, viewer().id).password_hash
    db.session.close()  # hold no connection while the password is hashed
    if not check_password(password_hash, field.data or ""):
        note("password_wrong", viewer())
        field.errors = [not_yours()]
        return None
    with transaction() as session:
        attempt.give_back(session)
    return password_hash


def not_yours() -> str:
    """Say that a password is not one's own."""
    return str(gettext("This isn’t your password. Try again."))
