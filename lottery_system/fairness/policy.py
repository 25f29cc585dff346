"""Witness policy (C2SP tlog-policy): whose cosignatures a checkpoint needs to be believed.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> <number>|any|all <member> ...
    quorum <name>|none

A group counts as a witness where so many of its members do. Names are of the file alone.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from lottery_system.fairness.cosignature import WitnessKey, parse_witness_key
from lottery_system.fairness.note import NoteError, VerifierKey, parse_vkey

#: bytes of a file; one with 64 keys of ML-DSA-44 has a fourth of it
MAX_POLICY_BYTES = 512 * 1024
#: of logs, of witnesses, of groups; C2SP demands 32
MAX_EACH = 64
NONE = "none"

#: the octets of a file are letters of Latin-1 here, so that none has a meaning but those of ASCII
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WHITE = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class PolicyError(ValueError):
    """A file is no policy; the message names the line and says why."""


class KnownLog(NamedTuple):
    """A log that a policy names."""

    key: VerifierKey
    url: str | None


class Witness(NamedTuple):
    """A witness that a policy names."""

    #: for groups and the quorum; the name that it signs with is that of its key
    name: str
    key: WitnessKey
    url: str | None


class Group(NamedTuple):
    """Witnesses and groups of which so many are needed."""

    name: str
    needed: int
    members: tuple[str, ...]


class Policy(NamedTuple):
    """Which logs are believed, and whose cosignatures they need."""

    logs: tuple[KnownLog, ...]
    witnesses: tuple[Witness, ...]
    #: each has only members that come before it
    groups: tuple[Group, ...]
    #: the name of a witness or group; None if no cosignature is needed
    quorum: str | None

    def is_met_by(self, public_keys: Collection[bytes]) -> bool:
        """Tell whether cosignatures by these public keys are enough; others do not matter."""
        signed = {each.name for each in self.witnesses if each.key.public_key in public_keys}
        for group in self.groups:
            if sum(member in signed for member in group.members) >= group.needed:
                signed.add(group.name)
        return self.quorum is None or self.quorum in signed

    @property
    def is_majority(self) -> bool:
        """Tell whether any two sets of witnesses that are enough share one.

        Where they need not, honest witnesses may have signed two journals, and each has enough.
        """
        if self.quorum is None:
            return False
        # a name is a member once, so that groups are trees and share no witness
        splits = {each.name: False for each in self.witnesses}
        for name, needed, members in self.groups:
            # a member that can be met twice helps both sets
            splits[name] = 2 * needed <= len(members) + sum(splits[each] for each in members)
        return not splits[self.quorum]


def parse_policy(data: bytes) -> Policy:
    """Read a policy.

    Args:
        data: the file.

    Raises:
        PolicyError: it is none.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"this is larger than {MAX_POLICY_BYTES // 1024} KiB")
    reader = _Reader()
    for number, line in enumerate(data.decode("latin-1").split("\n"), 1):
        try:
            reader.read(line)
        except (PolicyError, NoteError) as error:
            raise PolicyError(f"line {number}: {error}") from None
    if reader.quorum is None:
        raise PolicyError("there is no line quorum, like: quorum none")
    return Policy(
        tuple(reader.logs),
        tuple(reader.witnesses),
        tuple(reader.groups),
        None if reader.quorum == NONE else reader.quorum,
    )


class _Reader:
    """What was read of a policy so far."""

    def __init__(self) -> None:
        self.logs: list[KnownLog] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        #: names of witnesses and groups
        self._names: set[str] = set()
        self._members: set[str] = set()

    def read(self, line: str) -> None:
        if _CONTROL.search(line):
            raise PolicyError("there is a control character; lines end with a line feed alone")
        words = [word for word in _WHITE.split(line) if word]
        if not words or words[0].startswith("#"):
            return
        keywords: Mapping[str, Callable[[list[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        read = keywords.get(words[0])
        if read is None:
            raise PolicyError("a line begins with log, witness, group, quorum or #")
        read(words[1:])

    def _log(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise PolicyError("a log has a key, and a URL if you like: log KEY [URL]")
        key = parse_vkey(_text(words[0]))
        if any(each.key.public_key == key.public_key for each in self.logs):
            raise PolicyError("another log has this key")
        self.logs.append(KnownLog(key, _url(words[1:])))
        _limit(self.logs, "logs")

    def _witness(self, words: list[str]) -> None:
        if not 2 <= len(words) <= 3:
            raise PolicyError(
                "a witness has a name, a key, and a URL if you like: witness NAME KEY [URL]"
            )
        key = parse_witness_key(_text(words[1]))
        if any(each.key.public_key == key.public_key for each in self.witnesses):
            raise PolicyError("another witness has this key")
        self.witnesses.append(Witness(self._new(words[0]), key, _url(words[2:])))
        _limit(self.witnesses, "witnesses")

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise PolicyError(
                "a group has a name, how many are needed, and members: group NAME 2|any|all NAME …"
            )
        name, needed, *members = words
        for member in members:
            if member not in self._names:
                raise PolicyError(f"no line above defines the member {_shown(member)}")
            if member in self._members:
                raise PolicyError(f"{_shown(member)} is a member already")
            self._members.add(member)
        self.groups.append(Group(self._new(name), _needed(needed, len(members)), tuple(members)))
        _limit(self.groups, "groups")

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise PolicyError("the quorum is one name: quorum NAME|none")
        if self.quorum is not None:
            raise PolicyError("there is a quorum already")
        if words[0] != NONE and words[0] not in self._names:
            raise PolicyError(f"no line above defines {_shown(words[0])}")
        self.quorum = words[0]

    def _new(self, name: str) -> str:
        if name == NONE:
            raise PolicyError("the name none is taken: it stands for no quorum")
        if name in self._names:
            raise PolicyError(f"there is a witness or group {_shown(name)} already")
        self._names.add(name)
        return name


def _needed(text: str, count: int) -> int:
    if text in ("any", "all"):
        return 1 if text == "any" else count
    if not _NUMBER.fullmatch(text) or int(text) > count:
        raise PolicyError(f"a group of {count} needs any, all, or a number from 1 to {count}")
    return int(text)


def _limit(defined: list[KnownLog] | list[Witness] | list[Group], what: str) -> None:
    if len(defined) > MAX_EACH:
        raise PolicyError(f"there are more than {MAX_EACH} {what}")


def _url(words: list[str]) -> str | None:
    return _text(words[0]) if words else None


def _text(octets: str) -> str:
    try:
        return octets.encode("latin-1").decode()
    except UnicodeDecodeError:
        raise PolicyError("keys and addresses are in UTF-8") from None


def _shown(octets: str) -> str:
    return octets.encode("latin-1").decode(errors="replace")
