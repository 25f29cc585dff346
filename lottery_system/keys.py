"""The keys of the logs: made once, kept in files beside the database and never in it.

    storage/log_key        signs checkpoints, as `PRIVATE+KEY+name+id+key`
    storage/chain_tip      the beginning of the secret chain, 64 hex digits
    storage/beacon_chain   the beacon's network, public, where it is not quicknet

Whoever has the first can sign other logs in the lottery's name; whoever has the second knows the
secrets of all draws to come. They are made at the very first start only. Afterwards they must fit
the journal: a lottery that went on with other keys would be another lottery.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from config import Settings
from config.files import made_once
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
    open_checkpoint,
    parse_signing_key,
)
from lottery_system.fairness.records import BEACON, OPERATOR, Genesis
from lottery_system.models import Draw, JournalRecord, Operator

LOG_KEY, CHAIN_TIP, BEACON_CHAIN = "log_key", "chain_tip", "beacon_chain"

#: asks the relays for a network's info by its hash
FetchInfo = Callable[[bytes], ChainInfo | None]


def begin(session: Session, settings: Settings, now: datetime, fetch_info: FetchInfo) -> Operator:
    """Return the operator's keys, having begun the journal at the very first start.

    Any number of processes and hosts may call at once; of several hosts at the very first start
    one begins, and the others are told to copy its keys.

    Args:
        session: without a transaction begun.

    Raises:
        UnfitKeys: with a sentence that says what to restore or to set.
    """
    with session.begin():
        genesis = JournalRecord.genesis(session)
    operator = _load(settings, may_make=genesis is None, fetch_info=fetch_info)
    if genesis is None:
        try:
            with session.begin():
                begin_journal(session, operator, settings.beacon_gap, now)
        except IntegrityError:  # another process or host was first
            session.expire_all()
    with session.begin():
        _check(session, settings, operator)
    return operator


def begin_journal(session: Session, operator: Operator, gap: int, now: datetime) -> None:
    """Write the genesis: promise, from the first day not drawn yet, what will be revealed.

    Args:
        gap: seconds between closing and the beacon's round, in mode beacon.
    """
    Draw.open_until(session.connection(), day_of(now))
    chain = operator.chain
    genesis = Genesis(
        name=operator.key.name,
        first=Draw.first_undrawn(session),
        anchor=anchor_of(operator.tip),
        mode=BEACON if chain else OPERATOR,
        chain=chain.chain_hash if chain else None,
        gap=gap if chain else 0,
    )
    JournalRecord.begin(session, genesis, operator.key)


def _check(session: Session, settings: Settings, operator: Operator) -> None:
    genesis, last = JournalRecord.genesis(session), JournalRecord.last(session)
    assert genesis is not None
    assert last is not None
    if settings.name != genesis.name:
        raise UnfitKeys(
            f"LOTTERY_NAME is {settings.name!r}, but this lottery's journal was begun as "
            f"{genesis.name!r} and keeps that name for ever. Set LOTTERY_NAME={genesis.name}."
        )
    chain = operator.chain
    mode = BEACON if chain else OPERATOR
    if mode != genesis.mode or (chain and chain.chain_hash != genesis.chain):
        wanted = "off" if genesis.mode == OPERATOR else "drand"
        also = f" and LOTTERY_BEACON_CHAIN={genesis.chain.hex()}" if genesis.chain else ""
        raise UnfitKeys(
            f"This lottery was begun in mode {genesis.mode}, which it keeps for ever: another mode "
            f"is another lottery. Set LOTTERY_BEACON={wanted}{also}."
        )
    if chain and settings.beacon_gap != genesis.gap:
        raise UnfitKeys(
            f"This lottery was begun with a gap of {genesis.gap} seconds, which it keeps for ever. "
            f"Set LOTTERY_BEACON_GAP={genesis.gap}."
        )
    try:
        open_checkpoint(last.checkpoint, operator.key.verifier)
    except NoteError:
        raise UnfitKeys(
            _restore(settings, LOG_KEY, "did not sign this lottery's journal")
        ) from None
    if anchor_of(operator.tip) != genesis.anchor:
        raise UnfitKeys(
            _restore(settings, CHAIN_TIP, "is not what this lottery's genesis promised")
        )


def _load(settings: Settings, *, may_make: bool, fetch_info: FetchInfo | None) -> Operator:
    def new_key() -> str:
        return format_signing_key(SigningKey(settings.name, secrets.token_bytes(KEY_BYTES))) + "\n"

    def new_tip() -> str:
        return secrets.token_hex(SECRET_BYTES) + "\n"

    key_text = _text(settings, LOG_KEY, new_key if may_make else None)
    tip_text = _text(settings, CHAIN_TIP, new_tip if may_make else None)
    try:
        key = parse_signing_key(key_text.strip())
    except NoteError:
        raise UnfitKeys(_restore(settings, LOG_KEY, "is damaged")) from None
    try:
        tip = bytes.fromhex(tip_text.strip())
    except ValueError:
        tip = b""
    if len(tip) != SECRET_BYTES:
        raise UnfitKeys(_restore(settings, CHAIN_TIP, "is damaged"))
    return Operator(key, tip, _chain(settings, fetch_info) if settings.beacon == "drand" else None)


def _chain(settings: Settings, fetch_info: FetchInfo | None) -> ChainInfo:
    """Return the network of the chain hash in the settings, asked for once where it is not ours."""
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
    return (
        f"{settings.storage / name} {what}. Restore this file from the backup, or copy it from the "
        "host on which the lottery was begun; without it no day can be closed."
    )


class Keyring:
    """The keys of an application, asked for when first needed and fit from then on.

    Args:
        settings: of the application.
        new_session: makes a session that may write.
    """

    def __init__(self, settings: Settings, new_session: Callable[[], Session]) -> None:
        self._settings = settings
        self._new_session = new_session
        self._operator: Operator | None = None

    def operator(self, now: datetime) -> Operator:
        """Return the keys; the first call of all begins the journal.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        if self._operator is None:
            with self._new_session() as session:
                self._operator = begin(session, self._settings, now, self._fetch_info)
        return self._operator

    def load(self, connection: Connection) -> Operator:
        """Return the keys of a journal that has begun; writes nothing, asks nobody.

        Args:
            connection: may be one that only reads.

        Raises:
            UnfitKeys: with a sentence that says what to restore or to set.
        """
        operator = _load(self._settings, may_make=False, fetch_info=None)
        with Session(connection) as session:
            if JournalRecord.genesis(session) is None:
                raise UnfitKeys("The journal has not begun: the first start of the server does.")
            _check(session, self._settings, operator)
        return operator

    def fetch_signature(self, number: int) -> bytes | None:
        """Ask the relays for a round of the beacon; None where none has it yet."""
        if self._operator is None or self._operator.chain is None:
            return None
        return drand.fetch_signature(self._settings.beacon_urls, self._operator.chain, number)

    def _fetch_info(self, chain_hash: bytes) -> ChainInfo | None:
        return drand.fetch_info(self._settings.beacon_urls, chain_hash)
