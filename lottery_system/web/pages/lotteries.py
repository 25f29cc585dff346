"""Front page, and the public page of each lottery."""

from uuid import uuid4

from flask import Blueprint, abort, make_response, render_template, request
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from lottery_system.access import everybody, users, viewer
from lottery_system.clock import day_of, parse_day, utcnow
from lottery_system.extensions import reading
from lottery_system.parts import parts
from lottery_system.queries.claims import page_of, wins
from lottery_system.queries.lottery_page import load_lottery, text_changes
from lottery_system.web.chances import changed_today, prizes_left
from lottery_system.web.cookies import keep, kept
from lottery_system.web.forms import parse_number, parse_token
from lottery_system.web.front_page import RECEIPT, front_page

blueprint = Blueprint("lotteries", __name__)

#: rows of a page
WINS, CHANGES = 10, 10


@blueprint.get("/")
@users
def index() -> Response:
    """Show today's draw, the lotteries, and once the receipt of the last submission.

    A script asks for the receipt of a submission by its token: of several at once, each would take
    the other's cookie away. Nobody sees the receipt of somebody else.

    The receipt's cookie is deleted only with a page that shows it, so that a retry after an error
    still finds it.
    """
    token = parse_token(request.args.get("receipt", "") or kept(RECEIPT))
    page = make_response(front_page(token=token))
    if token:
        keep(page, RECEIPT, "", 0)
    return page


@blueprint.get("/lotteries/<int(max=2147483647):lottery_id>")
@everybody
def show(lottery_id: int) -> str:
    """Show a lottery: prize, terms, wins, and edits of its name and prize."""
    now = utcnow()
    user_id = viewer().id if current_user.is_authenticated else None
    before = parse_day(request.args.get("before", ""))
    below = parse_number(request.args.get("changes", ""))
    with reading() as connection:
        loaded = load_lottery(connection, lottery_id, day_of(now), user_id)
        if loaded is None:
            abort(404, gettext("This lottery doesn’t exist."))
        lottery, ballot_count = loaded
        won = wins(connection, before=before, lottery_id=lottery_id, limit=WINS + 1)
        rows, older = page_of(won, WINS)
        changes = text_changes(connection, lottery_id, before=below, limit=CHANGES + 1)
        left = prizes_left(connection, [lottery], now).get(lottery_id)
        changed = changed_today(connection, user_id, [lottery], now) if user_id else {}
    return render_template(
        "lotteries/show.html",
        lottery=lottery,
        ballot_count=ballot_count,
        today=day_of(now),
        wins=rows,
        older=older,
        changes=changes[:CHANGES],
        more_changes=changes[CHANGES - 1].id if len(changes) > CHANGES else None,
        left=left,
        changed=changed.get(lottery_id),
        max_count=parts().settings.max_count,
        new_token=uuid4,
    )
