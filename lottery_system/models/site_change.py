"""Audit log of the site's title, texts and logo: who changed what, and when."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base
from lottery_system.models.picture import DIGEST_LENGTH
from lottery_system.text_input import BadText, enforce_line, enforce_paragraphs

TITLE_LENGTH = 80
TEXT_LENGTH = 20_000
#: the texts that a site may have, each at the address of its name
TEXTS = ("contact", "terms", "privacy", "imprint")


def enforce_title(text: str) -> str:
    """Return a title in the one form in which it is stored, as names of lotteries are; empty: none.

    Raises:
        BadText: with a sentence for whoever chose it.
    """
    too_long = BadText("The title can be at most %(most)s characters long.", most=TITLE_LENGTH)
    return enforce_line(text, TITLE_LENGTH, too_long)


def enforce_text(text: str) -> str:
    """Return a text of the site in the one form in which it is stored; empty: none.

    Raises:
        BadText: with a sentence for whoever wrote it.
    """
    too_long = BadText("The text can be at most %(most)s characters long.", most=TEXT_LENGTH)
    return enforce_paragraphs(text, TEXT_LENGTH, too_long)


class SiteChange(Base):
    """What is said of the site from an instant on; the newest row holds, and all are kept for ever.

    Before the first one there is neither title nor text.
    """

    __tablename__ = "site_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime]
    #: the organiser's number; None: by hand at the database
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: empty: the technical name is shown
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    logo_digest: Mapped[str | None] = mapped_column(
        String(DIGEST_LENGTH), ForeignKey("pictures.digest")
    )
    # plain texts, a blank line between paragraphs; empty: there is none
    contact: Mapped[str] = mapped_column(Text)
    terms: Mapped[str] = mapped_column(Text)
    privacy: Mapped[str] = mapped_column(Text)
    imprint: Mapped[str] = mapped_column(Text)

    @classmethod
    def newest(cls, session: Session) -> "SiteChange | None":
        """Return what is said of the site now; None before anything was."""
        return session.scalars(select(cls).order_by(cls.id.desc()).limit(1)).first()

    @classmethod
    def add(
        cls,
        session: Session,
        said: dict[str, str],
        logo_digest: str | None,
        now: datetime,
        by: int | None,
    ) -> None:
        """Say something of the site from now on; nothing is written where it is said already.

        Args:
            said: the title and all texts, by their names.
            logo_digest: of a picture that is kept; None for none.

        Raises:
            BadText: the title or a text cannot be taken as it is.
        """
        given: dict[str, str | None] = {
            "title": enforce_title(said["title"]),
            **{name: enforce_text(said[name]) for name in TEXTS},
            "logo_digest": logo_digest,
        }
        before = cls.newest(session)
        nothing = dict.fromkeys(given, "") | {"logo_digest": None}
        if given != ({name: getattr(before, name) for name in given} if before else nothing):
            session.add(cls(**given, changed_at=now, changed_by=by))
