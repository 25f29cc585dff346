"""Where organisers create and change lotteries."""

from flask import Blueprint, redirect, render_template, url_for
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug.wrappers import Response

from lottery_system.access import lottery_or_404, organisers
from lottery_system.clock import day_of, utcnow
from lottery_system.extensions import db, transaction
from lottery_system.models import Lottery
from lottery_system.models.lottery import ClosesInThePast
from lottery_system.web.forms import LotteryForm

blueprint = Blueprint("organiser", __name__, url_prefix="/organiser/lotteries")


@blueprint.get("")
@organisers
def index() -> str:
    """List all lotteries, those that close last at the top."""
    lotteries = db.session.scalars(select(Lottery).order_by(Lottery.closes_on.desc(), Lottery.name))
    return render_template(
        "organiser/index.html", lotteries=lotteries.all(), today=day_of(utcnow())
    )


@blueprint.get("/new")
@organisers
def new() -> str:
    """Show an empty form."""
    return _page(LotteryForm(), None)


@blueprint.post("/new")
@organisers
def create() -> Response | tuple[str, int]:
    """Create a lottery."""
    return _save(LotteryForm(), None)


@blueprint.get("/<int(max=2147483647):lottery_id>")
@organisers
def edit(lottery_id: int) -> str:
    """Show a lottery's form."""
    lottery = lottery_or_404(lottery_id)
    return _page(LotteryForm(obj=lottery), lottery)


@blueprint.post("/<int(max=2147483647):lottery_id>")
@organisers
def update(lottery_id: int) -> Response | tuple[str, int]:
    """Change a lottery; a later date opens it again."""
    return _save(LotteryForm(), lottery_or_404(lottery_id))


def _save(form: LotteryForm, lottery: Lottery | None) -> Response | tuple[str, int]:
    if not form.validate():
        return _page(form, lottery), 422
    now = utcnow()
    try:
        with transaction() as session:
            if lottery is None:
                session.add(Lottery.create(**form.fields(), now=now))
            else:
                session.get_one(Lottery, lottery.id).change(**form.fields(), today=day_of(now))
    except ClosesInThePast as error:
        form.closes_on.errors = [str(error)]
        return _page(form, lottery), 422
    except IntegrityError:  # the name's unique key
        form.name.errors = ["There is a lottery of this name already. Choose another name."]
        return _page(form, lottery), 422
    return redirect(url_for("organiser.index"), code=303)


def _page(form: LotteryForm, lottery: Lottery | None) -> str:
    return render_template(
        "organiser/edit.html", form=form, lottery=lottery, today=day_of(utcnow())
    )
