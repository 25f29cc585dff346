"""Audit log of the site's title, texts and logo: who changed what, and when."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base
from lottery_system.models.picture import DIGEST_LENGTH
from lottery_system.text_input import BadText, enforce_line, enforce_paragraphs

TITLE_LENGTH = 80
TEXT_LENGTH = 20_000
#: texts of the site, each served at the address of its name
TEXTS = ("contact", "terms", "privacy", "imprint")


def enforce_title(text: str) -> str:
    """Validate a title, which may be empty, and return it normalised as lottery names are.

    Raises:
        BadText: with a sentence for the organiser.
    """
    too_long = BadText("The title can be at most %(most)s characters long.", most=TITLE_LENGTH)
    return enforce_line(text, TITLE_LENGTH, too_long)


def enforce_text(text: str) -> str:
    """Validate a text of the site, which may be empty, and return it normalised.

    Raises:
        BadText: with a sentence for the organiser.
    """
    too_long = BadText("The text can be at most %(most)s characters long.", most=TEXT_LENGTH)
    return enforce_paragraphs(text, TEXT_LENGTH, too_long)


class SiteChange(Base):
    """Title, texts and logo from an instant on; append-only, and the newest row is in force.

    Before the first row the site has no title and no texts.
    """

    __tablename__ = "site_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    changed_at: Mapped[datetime]
    #: the organiser's id; None: by hand in the database
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    #: empty: the technical name is shown
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    logo_digest: Mapped[str | None] = mapped_column(
        String(DIGEST_LENGTH), ForeignKey("pictures.digest")
    )
    # plain texts, a blank line between paragraphs; empty for none
    contact: Mapped[str] = mapped_column(Text)
    terms: Mapped[str] = mapped_column(Text)
    privacy: Mapped[str] = mapped_column(Text)
    imprint: Mapped[str] = mapped_column(Text)

    @classmethod
    def newest(cls, session: Session) -> "SiteChange | None":
        """Return the row in force; None before the first."""
        return session.scalars(select(cls).order_by(cls.id.desc()).limit(1)).first()

    @classmethod
    def add(
        cls,
        session: Session,
        texts: dict[str, str],
        logo_digest: str | None,
        now: datetime,
        by: int | None,
    ) -> None:
        """Change title, texts and logo from now on; if nothing differs, write nothing.

        Args:
            texts: the title and all texts, by name.
            logo_digest: of a stored picture; None for none.

        Raises:
            BadText: the title or a text is invalid.
        """
        given: dict[str, str | None] = {
            "title": enforce_title(texts["title"]),
            **{name: enforce_text(texts[name]) for name in TEXTS},
            "logo_digest": logo_digest,
        }
        before = cls.newest(session)
        nothing = dict.fromkeys(given, "") | {"logo_digest": None}
        if given != ({name: getattr(before, name) for name in given} if before else nothing):
            session.add(cls(**given, changed_at=now, changed_by=by))
