"""The site's title, texts and logo, as pages show them, and who changed what of them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, literal, or_, select

from lottery_system.models import Lottery, Picture, SiteChange, User
from lottery_system.models.base import table_of
from lottery_system.models.site_change import TEXTS
from lottery_system.queries import AnyRow


class Logo(NamedTuple):
    """The small size of a picture that stands beside the title."""

    digest: str
    #: pixels
    width: int
    height: int


class Site(NamedTuple):
    """What every page says of the site."""

    #: what people call it; the technical name where nobody has chosen a title
    title: str
    logo: Logo | None = None
    #: names of the texts that there are, in the order of `TEXTS`
    texts: tuple[str, ...] = ()


def load_site(connection: Connection, name: str) -> Site:
    """Ask what is said of the site now.

    Args:
        name: the technical name, which stands in where there is no title.
    """
    row = connection.execute(_SITE).first()
    if row is None:
        return Site(name)
    logo = Logo(row.logo_digest, row.small_width, row.small_height) if row.logo_digest else None
    texts = tuple(each for each in TEXTS if row._mapping[f"has_{each}"])
    return Site(row.title or name, logo, texts)


def load_text(connection: Connection, name: str) -> str:
    """Return a text of the site, one of `TEXTS`; empty where there is none."""
    return connection.scalar(_TEXTS[name]) or ""


def site_changes(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """List what was said of the site, the newest first, each with the username of whoever said it.

    And with the title before, in `old_title`, which is None for the first, and whether it is
    another logo or text: `new_logo`, `new_contact` and so on.
    """
    return connection.execute(_CHANGES, {"limit": limit}).all()


def picture_shown(connection: Connection, digest: str, width: int) -> bytes | None:
    """Return a picture in the size of a width, where a lottery or the site shows it now.

    One that was taken away is shown to nobody, whoever knows its address.
    """
    found = connection.scalar(_PICTURE, {"digest": digest, "width": width})
    return None if found is None else bytes(found)


_change, _picture, _user = (table_of(model).c for model in (SiteChange, Picture, User))

_SITE = (
    select(
        _change.title,
        _change.logo_digest,
        _picture.small_width,
        _picture.small_height,
        *((_change[each] != literal("")).label(f"has_{each}") for each in TEXTS),
    )
    .select_from(
        table_of(SiteChange).outerjoin(table_of(Picture), _picture.digest == _change.logo_digest)
    )
    .order_by(_change.id.desc())
    .limit(1)
)
_TEXTS = {each: select(_change[each]).order_by(_change.id.desc()).limit(1) for each in TEXTS}

_old = table_of(SiteChange).alias("old")
_older = table_of(SiteChange).alias("older")
_previous = select(func.max(_older.c.id)).where(_older.c.id < _change.id).scalar_subquery()
_CHANGES = (
    select(
        _change.id,
        _change.changed_at,
        _change.title,
        _user.username,
        _old.c.title.label("old_title"),
        *(
            (_change[each] != func.coalesce(_old.c[each], "")).label(f"new_{each}")
            for each in TEXTS
        ),
        (func.coalesce(_change.logo_digest, "") != func.coalesce(_old.c.logo_digest, "")).label(
            "new_logo"
        ),
    )
    .select_from(
        table_of(SiteChange)
        .outerjoin(table_of(User), _user.id == _change.changed_by)
        .outerjoin(_old, _old.c.id == _previous)
    )
    .order_by(_change.id.desc())
    .limit(bindparam("limit"))
)

_lottery = table_of(Lottery).c
_logo_now = select(_change.logo_digest).order_by(_change.id.desc()).limit(1).scalar_subquery()
_PICTURE = select(
    case(
        (_picture.small_width == bindparam("width"), _picture.small_bytes),
        (_picture.width == bindparam("width"), _picture.bytes),
    )
).where(
    _picture.digest == bindparam("digest"),
    or_(
        select(literal(1)).where(_lottery.picture_digest == bindparam("digest")).exists(),
        _logo_now == bindparam("digest"),
    ),
)
