"""Keys of the logs: created once, in files beside the database and never in it.

    storage/log_key        signs checkpoints, as `PRIVATE+KEY+name+id+key`
    storage/chain_tip      the start of the secret chain, 64 hex digits
    storage/beacon_chain   the beacon's network, public, if it is not quicknet

Whoever has the first can sign other logs in the lottery's name; whoever has the second knows the
secrets of all future draws. The start that begins the journal creates them as drafts, and renames
them once the journal is committed. Keys under their final names have been used, so they begin no
second journal, whose secrets would be known. Afterwards they are only read, and must match the
journal.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from config import Settings
from config.demo import is_demo_name
from config.files import flush_folder, made_once
from config.settings import DEFAULTS
from lottery_system import drand
from lottery_system.clock import day_of
from lottery_system.errors import UnfitKeys
from lottery_system.fairness.beacon import QUICKNET, ChainInfo
from lottery_system.fairness.certificate import (
    FormatError,
    Unreadable,
    format_chain_info,
    load_strictly,
    parse_chain_info,
)
from lottery_system.fairness.commitment import SECRET_BYTES, anchor_of
from lottery_system.fairness.note import (
    KEY_BYTES,
    NoteError,
    SigningKey,
    format_signing_key,
    format_vkey,
    parse_signing_key,
)
from lottery_system.fairness.records import BEACON, OPERATOR, Genesis, format_genesis
from lottery_system.models import Draw, JournalRecord, LogKeys, Recovery

log = logging.getLogger(__name__)

#: by which the pause knows what is found here
CAUSE = "keys"
LOG_KEY, CHAIN_TIP, BEACON_CHAIN = "log_key", "chain_tip", "beacon_chain"
#: behind the names of keys whose journal is not committed yet
DRAFT = ".draft"

#: asks the relays for a network's info by its hash
FetchInfo = Callable[[bytes], ChainInfo | None]


class Keys(NamedTuple):
    """Keys that fit a journal."""

    log_keys: LogKeys
    #: of the journal, see `JournalRecord`
    timeline: int


def begin(session: Session, settings: Settings, now: datetime, fetch_info: FetchInfo) -> Keys:
    """Begin the journal where there is neither key nor journal, and return the keys.

    Any number of processes and hosts may call at once; of several hosts at the very first start
    one begins, and the others are told to copy its keys.

    Args:
        session: without a transaction begun.

    Raises:
        UnfitKeys: with a sentence that says what to restore or to set.
    """
    with session.begin():
        genesis = JournalRecord.genesis(session)
    if genesis is None:
        _demand_unused(settings)
        _demand_own_name(settings)
    chain = _chain(settings, fetch_info)
    if genesis is None:
        log_keys = make_drafts(settings, chain)
        try:
            with session.begin():
                first = begin_journal(session, log_keys, settings.beacon_gap, now)
            log.info("journal: begun, its genesis is %s", first.hex())
        except IntegrityError:  # another process or host was first
            session.expire_all()
    with session.begin():
        adopt_drafts(session, settings)
    return load(session, settings)


def load(session: Session, settings: Settings, *, to_end: bool = False) -> Keys:
    """Read the keys, which must fit the journal; changes nothing.

    Args:
        session: without a transaction begun.
        to_end: the keys are only to end the journal, which takes no secret: none is read, so that
            the chain may be lost.

    Raises:
        UnfitKeys: with a sentence that says what to restore or to set.
    """
    with session.begin():
        genesis, last = JournalRecord.genesis(session), JournalRecord.last(session)
        if genesis is None or last is None:
            _demand_unused(settings)
            raise UnfitKeys(
                "This lottery has not begun: its database has no journal. Start the server once, "
                "or run `flask --app lottery_system draw run`."
            )
        _demand_own_kind(settings, genesis)
        key = _log_key(settings, LOG_KEY)
        if not last.is_signed_by(key) and Recovery.has_ended(session, format_vkey(key.verifier)):
            raise UnfitKeys(_copy(settings))
        tip = b"" if to_end else _chain_tip(settings, CHAIN_TIP)
        log_keys = LogKeys(key, tip, _chain(settings))
        _check(settings, log_keys, genesis, last)
        return Keys(log_keys, last.timeline)


def begin_journal(
    session: Session,
    log_keys: LogKeys,
    gap: int,
    now: datetime,
    *,
    first: date | None = None,
    timeline: int = 0,
) -> bytes:
    """Write the genesis: promise what will be revealed, from the first day on.

    Args:
        gap: seconds between closing and the beacon's round, in mode beacon.
        first: the first day; if omitted, the first that is not drawn yet.
        timeline: of the journal, see `JournalRecord`.

    Returns:
        H of the genesis.
    """
    Draw.open_until(session.connection(), day_of(now))
    chain = log_keys.chain
    genesis = Genesis(
        name=log_keys.key.name,
        first=first or Draw.first_undrawn(session),
        anchor=anchor_of(log_keys.tip),
        mode=BEACON if chain else OPERATOR,
        chain=chain.chain_hash if chain else None,
        gap=gap if chain else 0,
    )
    JournalRecord.begin(session, genesis, log_keys.key, timeline)
    return sha256(format_genesis(genesis)).digest()


def make_drafts(settings: Settings, chain: ChainInfo | None) -> LogKeys:
    """Make the keys of a journal that is about to begin, under the names of drafts.

    Those that a start left which went no further are taken: no journal has used them.

    Raises:
        UnfitKeys: they cannot be written, or read.
    """

    def new_key() -> str:
        return format_signing_key(SigningKey(settings.name, secrets.token_bytes(KEY_BYTES))) + "\n"

    def new_tip() -> str:
        return secrets.token_hex(SECRET_BYTES) + "\n"

    key = _log_key(settings, LOG_KEY + DRAFT, new_key)
    return LogKeys(key, _chain_tip(settings, CHAIN_TIP + DRAFT, new_tip), chain)


def adopt_drafts(session: Session, settings: Settings) -> None:
    """Give drafts whose journal is committed their own names; take away those of another one.

    Keys that stood there before are of the journal that a recovery ended, and are kept beside.
    Whoever ends a journal holds the days from before its drafts are made until it has committed, so
    that no draft is taken away in between.

    Args:
        session: in a transaction that sees the journal.
    """
    if not any((settings.storage / (name + DRAFT)).exists() for name in (LOG_KEY, CHAIN_TIP)):
        return
    Draw.hold_all(session.connection())
    genesis, last = JournalRecord.genesis(session), JournalRecord.last(session)
    if genesis is None or last is None:
        return
    ended = f".ended-{last.timeline - 1}" if last.timeline else ""
    _adopt(settings, LOG_KEY, ended, lambda name: last.is_signed_by(_log_key(settings, name)))
    _adopt(
        settings,
        CHAIN_TIP,
        ended,
        lambda name: anchor_of(_chain_tip(settings, name)) == genesis.anchor,
    )


def _adopt(settings: Settings, name: str, ended: str, fits: Callable[[str], bool]) -> None:
    """Give one draft its own name, unless another process does.

    Args:
        ended: behind the name under which the file of an ended journal is kept.
        fits: tells whether the file of a name is of the journal in use.
    """
    draft, path = settings.storage / (name + DRAFT), settings.storage / name
    try:
        if not fits(name + DRAFT):
            draft.unlink()
            return
        if ended and path.exists():
            path.replace(path.with_name(name + ended))
        draft.replace(path)
    except (FileNotFoundError, UnfitKeys):
        if draft.exists():
            raise
        return
    flush_folder(settings.storage)


def _demand_unused(settings: Settings) -> None:
    """Refuse to go on where keys are left and their journal is not.

    Raises:
        UnfitKeys: there are keys.
    """
    left = [name for name in (LOG_KEY, CHAIN_TIP) if (settings.storage / name).exists()]
    if left:
        raise UnfitKeys(
            f"{settings.storage} has the keys of a lottery ({', '.join(left)}), and the database "
            "has no journal: it is empty, or not this lottery's. Restore it from its backup, or "
            "set LOTTERY_DATABASE_URL to it; `flask --app lottery_system db move` moves one to "
            "PostgreSQL. Keys that were used begin no second journal, since their secrets may be "
            "known; a new lottery needs a LOTTERY_STORAGE of its own."
        )


def _demand_own_name(settings: Settings) -> None:
    """Refuse to begin a journal in production with the default name.

    Raises:
        UnfitKeys: LOTTERY_NAME is the default.
    """
    if settings.is_production and settings.name == DEFAULTS["LOTTERY_NAME"]:
        raise UnfitKeys(
            f"LOTTERY_NAME is {settings.name!r}, as it is where none is set, and the journal keeps "
            "its name for ever. Set it to a name of this lottery's own, such as its host's, before "
            "the first start."
        )


def _demand_own_kind(settings: Settings, genesis: Genesis) -> None:
    """Refuse to use the database of a demo as a real lottery, or the other way round.

    Raises:
        UnfitKeys: the journal is of the other kind.
    """
    if settings.demo and not is_demo_name(genesis.name):
        raise UnfitKeys(
            f"This database is that of a real lottery, {genesis.name}, and not a demo's. Move it "
            f"out of {settings.storage}; `make demo` plays a demo anew."
        )
    if not settings.demo and is_demo_name(genesis.name):
        raise UnfitKeys(
            f"This database is that of a demo, {genesis.name}: nothing in it counts. Set "
            "LOTTERY_DATABASE_URL to that of a real lottery, or begin a new one."
        )


def _check(settings: Settings, log_keys: LogKeys, genesis: Genesis, last: JournalRecord) -> None:
    if settings.name != genesis.name:
        raise UnfitKeys(
            f"LOTTERY_NAME is {settings.name!r}, but this lottery's journal was begun as "
            f"{genesis.name!r} and never changes its name. Set LOTTERY_NAME={genesis.name}."
        )
    chain = log_keys.chain
    mode = BEACON if chain else OPERATOR
    if mode != genesis.mode or (chain and chain.chain_hash != genesis.chain):
        wanted = "off" if genesis.mode == OPERATOR else "drand"
        also = f" and LOTTERY_BEACON_CHAIN={genesis.chain.hex()}" if genesis.chain else ""
        raise UnfitKeys(
            f"This lottery was begun in mode {genesis.mode}, which never changes: another mode "
            f"is another lottery. Set LOTTERY_BEACON={wanted}{also}."
        )
    if chain and settings.beacon_gap != genesis.gap:
        raise UnfitKeys(
            f"This lottery was begun with a gap of {genesis.gap} seconds, which never changes. "
            f"Set LOTTERY_BEACON_GAP={genesis.gap}."
        )
    if not last.is_signed_by(log_keys.key):
        raise UnfitKeys(_restore(settings, LOG_KEY, "did not sign this lottery's journal"))
    if log_keys.tip and anchor_of(log_keys.tip) != genesis.anchor:
        raise UnfitKeys(
            _restore(settings, CHAIN_TIP, "is not what this lottery's genesis promised")
        )


def _log_key(settings: Settings, name: str, make: Callable[[], str] | None = None) -> SigningKey:
    try:
        return parse_signing_key(_text(settings, name, make).strip())
    except NoteError:
        raise UnfitKeys(_restore(settings, name, "is damaged")) from None


def _chain_tip(settings: Settings, name: str, make: Callable[[], str] | None = None) -> bytes:
    try:
        tip = bytes.fromhex(_text(settings, name, make).strip())
    except ValueError:
        tip = b""
    if len(tip) != SECRET_BYTES:
        raise UnfitKeys(_restore(settings, name, "is damaged"))
    return tip


def _chain(settings: Settings, fetch_info: FetchInfo | None = None) -> ChainInfo | None:
    """Return the network of the chain hash in the settings; None in mode operator.

    Args:
        fetch_info: asked once for a network that is not known here; without it, it must be.
    """
    if settings.beacon == "off":
        return None
    if settings.beacon_chain == QUICKNET.chain_hash:
        return QUICKNET

    def fetched() -> str:
        assert fetch_info is not None
        info = fetch_info(settings.beacon_chain)
        if info is None:
            raise UnfitKeys(
                "No relay of LOTTERY_BEACON_URLS knows the chain LOTTERY_BEACON_CHAIN. It is asked "
                "once, at the first start; start again when a relay can be reached."
            )
        return format_chain_info(info)

    text = _text(settings, BEACON_CHAIN, fetched if fetch_info else None)
    try:
        info = parse_chain_info(load_strictly(text.encode()))
    except (FormatError, Unreadable):
        raise UnfitKeys(_restore(settings, BEACON_CHAIN, "is damaged")) from None
    if info.chain_hash != settings.beacon_chain:
        raise UnfitKeys(
            f"{settings.storage / BEACON_CHAIN} is of another chain than LOTTERY_BEACON_CHAIN. "
            "Set the chain with which this lottery was begun."
        )
    return info


def _text(settings: Settings, name: str, make: Callable[[], str] | None) -> str:
    path = settings.storage / name
    try:
        if make is not None:
            return made_once(path, make)
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnfitKeys(_restore(settings, name, "is missing")) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UnfitKeys(f"{path} cannot be read or made ({error}).") from None


def _restore(settings: Settings, name: str, what: str) -> str:
    return _taken_over(settings, name, what) or (
        f"{settings.storage / name} {what}. Restore this file from the backup, or copy it from the "
        "host on which the lottery was begun; without it no day can be closed."
        + " If it is lost, `flask --app lottery_system draw replace-keys` makes another one."
        * (name == CHAIN_TIP)
    )


def _copy(settings: Settings) -> str:
    what = "is the key of a journal that has ended"
    return _taken_over(settings, LOG_KEY, what) or (
        f"{settings.storage / LOG_KEY} {what}, and signs nothing more. Copy {LOG_KEY} and "
        f"{CHAIN_TIP}, both, from the host on which the present ones were made, or from their "
        "backup; without them this host signs no receipt and closes no day."
    )


def _taken_over(settings: Settings, name: str, what: str) -> str | None:
    """Say that the next start gives a draft its name, where there is one; else None."""
    if not (settings.storage / (name + DRAFT)).exists():
        return None
    return (
        f"{settings.storage / name} {what}, and {name}{DRAFT} is beside it: whoever ended the "
        "journal was interrupted. The next start of the server on this host, or `flask --app "
        "lottery_system draw run`, takes it over."
    )


class Keyring:
    """The keys of an application, read when first needed and fit from then on.

    Args:
        settings: of the application.
        new_session: makes a session that may write.
        reading_session: makes one that only reads.
    """

    def __init__(
        self,
        settings: Settings,
        new_session: Callable[[], Session],
        reading_session: Callable[[], Session],
    ) -> None:
        self._settings = settings
        self._new_session = new_session
        self._reading_session = reading_session
        self._keys: Keys | None = None

    def begin(self, now: datetime) -> LogKeys:
        """Return the keys of the journal, which begins where there is neither key nor journal.

        Keys of a journal that a recovery has ended since are left for those of the present one.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        with self._new_session() as session:
            with session.begin():
                last = JournalRecord.last(session)
            if self._keys is None or last is None or last.timeline != self._keys.timeline:
                self._keys = None  # those of a journal that ended sign nothing more
                self._keys = begin(session, self._settings, now, self._fetch_info)
        return self._keys.log_keys

    def log_keys(self, connection: Connection | None = None) -> LogKeys:
        """Return the keys of the journal at hand, read once for each; changes nothing.

        Args:
            connection: that the caller holds already, who must not wait for a second one.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        with Session(connection) if connection else self._reading_session() as session:
            keys = self._keys
            if keys is not None:
                with session.begin():
                    timeline = JournalRecord.timeline_at_hand(session)
                if keys.timeline != timeline:
                    keys = None  # another process has ended the journal: they sign nothing more
            if keys is None:
                self._keys = keys = load(session, self._settings)
        return keys.log_keys

    def load_to_end(self) -> LogKeys:
        """Return the keys with which the journal can be ended; without its secret chain.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        with self._reading_session() as session:
            return load(session, self._settings, to_end=True).log_keys

    def chain(self, connection: Connection | None = None) -> ChainInfo | None:
        """Return the beacon's network, the same for all journals; None in mode operator.

        Args:
            connection: that the caller holds already, who must not wait for a second one.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        keys = self._keys
        return (keys.log_keys if keys else self.log_keys(connection)).chain

    def load(self, connection: Connection) -> LogKeys:
        """Return the keys of a journal that has begun; writes nothing, asks nobody.

        Args:
            connection: may be one that only reads.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        with Session(connection) as session:
            return load(session, self._settings).log_keys

    def fetch_signature(self, number: int) -> bytes | None:
        """Ask the relays for a round of the beacon; None if none has it yet."""
        chain = self._keys.log_keys.chain if self._keys else None
        return drand.fetch_signature(self._settings.beacon_urls, chain, number) if chain else None

    def _fetch_info(self, chain_hash: bytes) -> ChainInfo | None:
        return drand.fetch_info(self._settings.beacon_urls, chain_hash)
