"""Secrets do not appear in tracebacks, logs or representations."""

import pkgutil
import re
from dataclasses import fields, is_dataclass
from importlib import import_module

import pytest

import config.settings
import lottery_system
from lottery_system.models import Base

#: how what is secret is called
SECRET = re.compile(r"secret|seed|token|password|hash|salt|key|tip|cookie|database_url")
#: what is called so and is public, or worth nothing to whoever has it
PUBLIC = {
    "Certificate.log_key", "ChainInfo.group_hash", "ChainInfo.public_key", "Content.hashes",
    "Freeze.secret", "Frontier.hashes", "Limit.key", "Piece.hashes", "Recovery.key", "Row.hashes",
    "VerifierKey.public_key", "Pin.key", "WitnessKey.public_key", "KnownLog.key", "Witness.key",
    "Signature.key_id", "TlogProof.hashes",
    "Factors.passkeys",  # how many
    "DrawOfDay.seed",  # of a drawn day: in its certificate
    "Head.token",  # of a submission that is in already
    "Keys.log_keys", "_How.log_keys", "_Worker.log_keys",  # whose own repr shows no secret
}  # fmt: skip


class Secret(str):
    """A text that passes for whatever a `repr` looks into."""

    name = "name"


def records() -> dict[str, tuple[type, list[str]]]:
    """Return the classes with named fields, models included, and these fields."""
    modules = [config.settings] + [
        import_module(module.name)
        for module in pkgutil.walk_packages(lottery_system.__path__, "lottery_system.")
        if not re.search(r"migrations|__main__", module.name)
    ]
    found: dict[str, tuple[type, list[str]]] = {}
    for module in modules:
        for kind in vars(module).values():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                names = names_of(kind)
                if names:
                    found[f"{kind.__module__}.{kind.__qualname__}"] = (kind, names)
    return found


def names_of(kind: type) -> list[str]:
    if is_dataclass(kind):
        return [each.name for each in fields(kind)]
    if issubclass(kind, Base) and kind is not Base:
        return list(kind.__mapper__.columns.keys())
    return list(getattr(kind, "_fields", ()))


RECORDS = records()


@pytest.mark.parametrize("name", RECORDS)
def test_a_secret_is_not_shown(name: str) -> None:
    kind, names = RECORDS[name]
    secrets = {
        each: Secret(f"shown-{each}") for each in names
        if SECRET.search(each) and f"{kind.__name__}.{each}" not in PUBLIC
    }  # fmt: skip

    record = kind(**dict.fromkeys(names, Secret("value")) | secrets)

    assert not [each for each, value in secrets.items() if value in repr(record)]


def test_records_of_all_kinds_are_looked_at_and_no_exception_is_idle() -> None:
    names = {f"{kind.__name__}.{each}" for kind, found in RECORDS.values() for each in found}

    assert {"Viewer.token", "SigningKey.seed", "Settings.secret_key", "User.password_hash"} <= names
    assert names >= PUBLIC
