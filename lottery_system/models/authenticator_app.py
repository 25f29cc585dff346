"""Authenticator app: a secret that an app on the user's phone shares, which shows codes by it."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, insert_into
from lottery_system.one_time_codes import matching_step, new_secret
from lottery_system.sealing import Unsealable, seal, unseal

PURPOSE = "authenticator app"


class AuthenticatorApp(Base):
    """The app of one user. Its secret is sealed with the key that signs cookies."""

    __tablename__ = "authenticator_apps"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id"), primary_key=True, autoincrement=False
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    #: when its holder began to set it up
    begun_at: Mapped[datetime]
    #: since when log-ins need it: when the first code was right; None if none was yet
    confirmed_at: Mapped[datetime | None]
    #: the step of the latest code that was used; a code is worth something once
    last_step: Mapped[int] = mapped_column(BigInteger)

    @classmethod
    def begin(cls, session: Session, user_id: int, secret_key: str, now: datetime) -> None:
        """Begin to set an app up, with a new secret; an app that works stays as it is."""
        sealed = seal(new_secret().encode(), secret_key, f"{PURPOSE} {user_id}")
        addition = insert_into(session.connection().dialect, cls).values(
            user_id=user_id, sealed_secret=sealed, begun_at=now, last_step=0
        )
        session.execute(
            addition.on_conflict_do_update(
                index_elements=["user_id"],
                set_={
                    "sealed_secret": addition.excluded.sealed_secret,
                    "begun_at": addition.excluded.begun_at,
                    "last_step": 0,
                },
                where=cls.confirmed_at.is_(None),
            )
        )

    def secret(self, secret_key: str) -> str | None:
        """Return the secret, in base32; None if the lottery's key is another by now."""
        try:
            return unseal(self.sealed_secret, secret_key, f"{PURPOSE} {self.user_id}").decode()
        except Unsealable:
            return None

    @classmethod
    def use_code(
        cls, session: Session, user_id: int, code: str, secret_key: str, now: datetime
    ) -> bool:
        """Use a code up, and return whether it was right: of the app, of now, not used before.

        The first right code confirms an app that is being set up.
        """
        app = session.get(cls, user_id)
        secret = app.secret(secret_key) if app else None
        step = matching_step(secret, code, now) if secret else None
        if step is None:
            return False
        used = session.scalar(
            update(cls)
            .where(cls.user_id == user_id, cls.last_step < step)
            .values(last_step=step)
            .returning(cls.user_id)
            .execution_options(synchronize_session=False)
        )
        if used is None:
            return False
        assert app is not None
        session.refresh(app)
        app.confirmed_at = app.confirmed_at or now
        return True

    @classmethod
    def remove(cls, session: Session, user_id: int) -> bool:
        """Remove a user's app, and return whether there was one that was set up."""
        app = session.get(cls, user_id)
        if app is None:
            return False
        session.delete(app)
        session.flush()
        return app.confirmed_at is not None
