"""Welcome page for visitors without an account: what this is, prizes, how to take part."""

from flask import Blueprint, render_template

from lottery_system.access import everybody
from lottery_system.clock import closes_at, utcnow
from lottery_system.web.welcome import load_welcome

blueprint = Blueprint("welcome", __name__)


@blueprint.get("/welcome")
@everybody
def show() -> str:
    """Show a short introduction, the prizes, the latest winner and the next draw."""
    now = utcnow()
    welcome = load_welcome(now)
    return render_template(
        "welcome/show.html", welcome=welcome, now=now, closes_at=closes_at(welcome.today)
    )
