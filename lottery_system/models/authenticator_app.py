"""Authenticator app: a secret that an app on the user's phone shares, which shows codes by it."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from lottery_system.models.base import Base, insert_into, table_of
from lottery_system.one_time_codes import matching_step, new_secret
from lottery_system.sealing import Unsealable, seal, unseal

PURPOSE = "authenticator app"
#: for how long an app that was begun can be set up
SET_UP = timedelta(hours=1)


class AuthenticatorApp(Base):
    """The app of one user. Its secret is sealed with the key that signs cookies."""

    __tablename__ = "authenticator_apps"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id"), primary_key=True, autoincrement=False
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    #: when its holder began to set it up
    begun_at: Mapped[datetime]
    #: since when log-ins need it: when its first code was right; None if none was yet
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
    def being_set_up(
        cls, session: Session, user_id: int, now: datetime
    ) -> "AuthenticatorApp | None":
        """Return a user's app that was begun a short time ago, and has shown no right code yet."""
        app = session.get(cls, user_id, populate_existing=True)
        is_begun = app is not None and app.confirmed_at is None and now - app.begun_at < SET_UP
        return app if is_begun else None

    @classmethod
    def confirm(
        cls, session: Session, user_id: int, code: str, secret_key: str, now: datetime
    ) -> bool:
        """Set the app up that was begun, if its code is right; from now on log-ins need it."""
        app = cls.being_set_up(session, user_id, now)
        if app is None or not app._use(session, code, secret_key, now):
            return False
        app.confirmed_at = now
        return True

    @classmethod
    def use_code(
        cls, session: Session, user_id: int, code: str, secret_key: str, now: datetime
    ) -> bool:
        """Use a code up, and return whether it was right: of the app, of now, not used before."""
        app = session.get(cls, user_id, populate_existing=True)
        if app is None or app.confirmed_at is None:
            return False
        return app._use(session, code, secret_key, now)

    def _use(self, session: Session, code: str, secret_key: str, now: datetime) -> bool:
        """Use a code up in one statement, so that of two at once one is wrong."""
        secret = self.secret(secret_key)
        step = matching_step(secret, code, now) if secret else None
        if step is None:
            return False
        table = table_of(AuthenticatorApp)
        used = session.execute(
            update(table)
            .where(
                table.c.user_id == self.user_id,
                table.c.sealed_secret == self.sealed_secret,
                table.c.last_step < step,
            )
            .values(last_step=step)
            .returning(table.c.user_id)
        ).first()
        return used is not None

    @classmethod
    def remove(cls, session: Session, user_id: int) -> bool:
        """Remove a user's app, and return whether there was one that was set up."""
        app = session.get(cls, user_id)
        if app is None:
            return False
        session.delete(app)
        session.flush()
        return app.confirmed_at is not None
