"""Rules page: how the draw works, in plain words."""

from flask import Blueprint, render_template

from lottery_system.access import everybody
from lottery_system.parts import parts

blueprint = Blueprint("rules", __name__)


@blueprint.get("/how-it-works")
@everybody
def how_it_works() -> str:
    """Explain the rules, what becomes of a prize, and what the draw proves and does not prove."""
    return render_template(
        "rules/how_it_works.html",
        places=parts().settings.places,
        claim_days=parts().settings.claim_days,
        max_count=parts().settings.max_count,
    )
