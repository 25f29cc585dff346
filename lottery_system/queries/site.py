"""Queries of the site's title, texts, logo and pictures, and of their audit log."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, literal, or_, select

from lottery_system.models import Lottery, Picture, SiteChange, User
from lottery_system.models.base import table_of
from lottery_system.models.site_change import TEXTS
from lottery_system.queries import LIMIT, AnyRow


class Logo(NamedTuple):
    """The logo in its small size."""

    digest: str
    #: pixels
    width: int
    height: int


class Site(NamedTuple):
    """Title, logo and list of texts, which every page shows."""

    #: the title; the technical name if no title is set
    title: str
    logo: Logo | None = None
    #: names of the texts that are not empty, in the order of `TEXTS`
    texts: tuple[str, ...] = ()


def load_site(connection: Connection, name: str) -> Site:
    """Query title, logo and list of texts.

    Args:
        name: the technical name, used if there is no title.
    """
    row = connection.execute(_SITE).first()
    if row is None:
        return Site(name)
    logo = Logo(row.logo_digest, row.small_width, row.small_height) if row.logo_digest else None
    texts = tuple(each for each in TEXTS if row._mapping[f"has_{each}"])
    return Site(row.title or name, logo, texts)


def load_text(connection: Connection, name: str) -> str:
    """Return a text of the site, one of `TEXTS`; may be empty."""
    return connection.scalar(_TEXTS[name]) or ""


def terms_in_force(connection: Connection) -> int | None:
    """Return the site change since which the terms are what they are; None if there are none."""
    row = connection.execute(_TERMS).first()
    return row.id if row is not None and row.terms else None


def site_changes(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """List the changes of the site, newest first.

    Columns: `id`, `changed_at`, `username`, `title`, `old_title` (None for the first change), and
    whether logo and texts changed: `new_logo`, `new_contact` and so on.
    """
    return connection.execute(_CHANGES, {"limit": limit}).all()


def picture_shown(connection: Connection, digest: str, width: int) -> bytes | None:
    """Return a picture in one of its widths, if a lottery or the site shows it now; else None.

    So a picture that was removed is no longer served, even to those who know its address.
    """
    content = connection.scalar(_PICTURE, {"digest": digest, "width": width})
    return None if content is None else bytes(content)


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
_other = table_of(SiteChange).alias("other").c
_newest = select(_other.terms).order_by(_other.id.desc()).limit(1).correlate(None).scalar_subquery()
_last_other = select(func.coalesce(func.max(_other.id), 0)).where(_other.terms != _newest)
_TERMS = (
    select(_change.id, _change.terms)
    .where(_change.id > _last_other.scalar_subquery())
    .order_by(_change.id)
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
    .limit(LIMIT)
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
