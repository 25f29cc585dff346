"""Witness policy of the server: which witnesses are asked, read from LOTTERY_WITNESSES.

The file is a policy as verifiers take it (C2SP tlog-policy), with an address for each witness.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from config import Settings, SettingsError
from lottery_system.errors import UnfitKeys
from lottery_system.fairness.cosignature import MAX_COSIGNATURES
from lottery_system.fairness.note import VerifierKey, format_vkey
from lottery_system.fairness.policy import Policy, PolicyError, parse_policy


def read_policy(settings: Settings) -> Policy | None:
    """Read and check the policy; None where there are no witnesses.

    Raises:
        SettingsError: it cannot be read, or is not one for this lottery.
    """
    file = settings.witnesses
    if file is None:
        return None
    try:
        policy = parse_policy(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"LOTTERY_WITNESSES: cannot read {file} ({error.strerror}).") from None
    except PolicyError as error:
        raise SettingsError(f"LOTTERY_WITNESSES: {file}: {error}.") from None
    if not policy.witnesses:
        raise SettingsError(
            f"LOTTERY_WITNESSES: {file} names no witness; leave the setting out to have none."
        )
    if len(policy.witnesses) > MAX_COSIGNATURES:
        raise SettingsError(
            f"LOTTERY_WITNESSES: {file} names {len(policy.witnesses)} witnesses, and a checkpoint "
            f"has room for {MAX_COSIGNATURES} cosignatures. Name no more than that."
        )
    for each in policy.logs:
        if each.key.name != settings.name:
            raise SettingsError(
                f"LOTTERY_WITNESSES: {file} has the log {each.key.name}, and this lottery is "
                f"{settings.name}. Name no log, or this lottery's alone."
            )
    for witness in policy.witnesses:
        if not _is_fit(witness.url or ""):
            raise SettingsError(
                f"LOTTERY_WITNESSES: {file}: the witness {witness.key.name} needs an address like "
                "https://witness.example/prefix behind its key; http:// only for this machine, "
                "such as http://127.0.0.1:8483."
            )
    return policy


def demand_own_log(policy: Policy, key: VerifierKey) -> None:
    """Refuse a policy whose log has another key than the lottery.

    A policy may name no log, since before the first start there is no key.

    Raises:
        UnfitKeys: it says which line to put there.
    """
    if policy.logs and all(each.key != key for each in policy.logs):
        raise UnfitKeys(
            "LOTTERY_WITNESSES has a log with another key than this lottery. The key is new after "
            f"a recovery, or where keys were replaced; the line is: log {format_vkey(key)}"
        )


def _is_fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is none, brackets without an address
        return False
    # the characters of an address (RFC 3986); a query or fragment would swallow what goes behind
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(" ?#\\\"'<>^`{|}")
    if not is_plain or not parts.hostname or port == 0:
        return False
    # what a witness says of sizes is not signed, so that nobody may change it on the way
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
