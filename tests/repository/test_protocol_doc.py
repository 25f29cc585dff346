"""docs/protocol.md matches the code: examples, grammar, fields, checks, numbers."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from lottery_system.fairness import merkle, note, offers, records, recovery
from lottery_system.fairness.beacon import QUICKNET, due_time, is_late, round_at
from lottery_system.fairness.certificate import (
    MAX_BYTES,
    MAX_PROOF,
    format_certificate,
    format_receipt,
    parse_certificate,
    parse_receipt,
)
from lottery_system.fairness.checks import CHECKS, NOT_NEEDED, Verdict
from lottery_system.fairness.commitment import DRAWS, SALT_BYTES, follow_chain, holder_hash
from lottery_system.fairness.cosignature import MAX_NAME_BYTES
from lottery_system.fairness.note import MAX_SIGNATURES, open_checkpoint, parse_vkey
from lottery_system.fairness.offers import (
    MAX_OFFERS_BYTES,
    format_offers,
    format_signed_offers,
    parse_offers,
    parse_signed_offers,
)
from lottery_system.fairness.policy import MAX_EACH, MAX_POLICY_BYTES, parse_policy
from lottery_system.fairness.selection import pick_stream, seed_of, winning_ballots
from lottery_system.fairness.tiles import TilePath, format_path
from lottery_system.fairness.verify import verify
from lottery_system.fairness.witnessed import CLOCK_BEHIND
from lottery_system.web.public import A_MOMENT, FOR_EVER
from tests.fairness.forge import KEY, Day

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "fairness" / "data"
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
#: what is marked as what: [("ballot", "daily-draw/v1 ballot\n..."), ...]
BLOCKS = re.findall(r"^```(\w[\w ]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

VECTORS = json.loads((DATA / "daily_draw_v1_vectors.json").read_text(encoding="utf-8"))
RECORDS = VECTORS["records"]
_DAY_LINE = f"day {records.DAY} {records.POSITIVE} {records.NUMBER}\n"
WINNER = 5  # the ballot that the example follows


def blocks(kind: str) -> list[str]:
    found = [text for each, text in BLOCKS if each == kind]
    assert found, kind
    return found


def section(title: str) -> str:
    """Return what stands under a heading, with the headings below it."""
    found = re.search(
        rf"^(#+) [0-9. ]*{re.escape(title)}\n(.*?)(?=^#{{1,3}} |\Z)", PAGE, re.MULTILINE | re.DOTALL
    )
    assert found, title
    return found[2]


def rows(title: str) -> list[list[str]]:
    """Return the cells of the tables under a heading, but for their heads."""
    lines = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section(title).splitlines()
        if line.startswith("|")
    ]
    return [cells for at, cells in enumerate(lines) if not set(cells[0]) <= {"-"} and at > 0]


def certificate(name: str) -> str:
    return (DATA / "certificates" / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "parse", "write"),
    [
        ("ballot", records.parse_ballot, records.format_ballot),
        ("genesis", records.parse_genesis, records.format_genesis),
        ("freeze", records.parse_freeze, records.format_freeze),
        ("recovery", recovery.parse_recovery, recovery.format_recovery),
    ],
)
def test_every_record_on_the_page_is_one(
    kind: str, parse: Callable[[str], Any], write: Callable[[Any], bytes]
) -> None:
    for text in blocks(kind):
        assert write(parse(text)).decode() == text


@pytest.mark.parametrize("kind", ["ballot", "genesis", "freeze", "recovery"])
def test_the_grammar_is_the_one_that_the_code_reads_by(kind: str) -> None:
    values = dict(line.split(maxsplit=1) for line in blocks("grammar")[0].splitlines())
    values["KEY"] = recovery._KEY  # in words in daily-draw/v1, section 5: signed notes

    (grammar,) = blocks(f"grammar {kind}")
    written = f"daily-draw/v1 {kind}\n" + "".join(
        "{} ({})\n".format(*line.split(" ", 1)) for line in grammar.splitlines()
    )
    expanded = re.sub(r"\b[A-Z]{3,}\b", lambda found: values[found[0]], written)

    pattern = {
        "ballot": records._BALLOT,
        "genesis": records._GENESIS,
        "freeze": records._FREEZE,
        "recovery": recovery._RECOVERY,
    }
    if kind == "recovery":
        expanded += f"((?:{_DAY_LINE})*)"
    assert expanded == re.sub(r"\?P<\w+>", "", pattern[kind].pattern).replace(r"\n", "\n")


def test_the_lines_of_each_record_are_explained_in_their_order() -> None:
    for kind in ("ballot", "genesis", "freeze", "recovery"):
        (grammar,) = blocks(f"grammar {kind}")

        keys = [line.split()[0] for line in grammar.splitlines()]
        keys += ["day"] * (kind == "recovery")
        assert [cells[0] for cells in rows(kind.capitalize())] == [f"`{key}`" for key in keys]


def test_the_checkpoint_on_the_page_is_signed() -> None:
    (signed,) = blocks("checkpoint")

    key = parse_vkey(json.loads(certificate("operator"))["log_key"])
    assert open_checkpoint(signed, key).size == 6
    (grammar,) = blocks("grammar checkpoint")
    keyless = re.sub(r"\?P<\w+>", "", note._CHECKPOINT.pattern).replace(records.NAME, "NAME")
    assert keyless == "".join(rf"({line.split()[1]})\n" for line in grammar.splitlines())


def test_the_list_of_offers_on_the_page_is_signed_canonical_and_of_its_grammar() -> None:
    (block,) = blocks("json offers")
    signed, day = parse_signed_offers(block.encode()), Day()

    assert format_signed_offers(signed) == block
    assert format_offers(parse_offers(signed.text)) == signed.text
    checks = verify(day.certificate(), key=KEY.verifier, offers=block.encode())
    assert next(each.verdict for each in checks if each.name == "offers") is Verdict.OK
    (grammar,) = blocks("grammar offers")
    keyless = re.sub(r"\?P<\w+>", "", offers._HEAD.pattern)
    keyless = keyless.replace(records.NAME, "NAME").replace(records.DAY, "DAY")
    assert keyless == "".join(rf"({line.split()[1]})\n" for line in grammar.splitlines())


def test_the_cosigned_checkpoint_on_the_page_has_what_the_policy_on_it_needs() -> None:
    (cosigned,), (policy,) = blocks("cosigned"), blocks("policy")
    loaded = json.loads(certificate("operator"))
    assert cosigned.startswith(loaded["journal"]["checkpoint"])
    loaded["journal"]["checkpoint"] = cosigned

    checks = verify(json.dumps(loaded).encode(), policy=parse_policy(policy.encode()))

    assert next(each.verdict for each in checks if each.name == "witnessed") is Verdict.OK


def test_every_check_stands_in_its_place_with_whether_it_is_needed() -> None:
    listed = {
        cells[0].strip("`"): cells[1] for cells in rows("The seventeen checks")[: len(CHECKS)]
    }

    assert list(listed) == list(CHECKS)
    assert {name for name, needed in listed.items() if needed == "no"} == NOT_NEEDED


def test_every_verdict_is_explained() -> None:
    for verdict in Verdict:
        assert f"| `{verdict.value}` |" in section("The seventeen checks")


@pytest.mark.parametrize(
    ("title", "example"),
    [
        ("Certificate", json.loads(certificate("beacon"))),
        ("Receipt", json.loads(blocks("json receipt")[0])),
        ("The file", json.loads(blocks("json offers")[0])),
        ("The text", json.loads(json.loads(blocks("json offers")[0])["text"])),
    ],
)
def test_every_field_is_documented_in_its_order_and_no_other(title: str, example: object) -> None:
    documented = [cells[0].strip("`") for cells in rows(title)]

    # objects and lists are named where there is more to say of them
    leaves = list(dict.fromkeys(fields(example)))
    assert [each for each in documented if each in leaves] == leaves
    assert set(documented) - set(leaves) <= {"beacon", "winners"}


def fields(value: object, path: str = "") -> list[str]:
    """Name every value of a JSON text that is none of objects."""
    if isinstance(value, dict):
        below = [(f"{path}.{key}" if path else key, each) for key, each in value.items()]
        return [name for key, each in below for name in fields(each, key)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [name for each in value for name in fields(each, f"{path}[]")]
    return [path]


def test_the_files_on_the_page_pass_every_check() -> None:
    (one,), (other,) = blocks("json certificate"), blocks("json receipt")

    assert format_certificate(parse_certificate(one.encode())) == one
    assert format_receipt(parse_receipt(other.encode())) == other
    assert json.loads(one) == json.loads(certificate("operator"))
    checks = verify(
        one.encode(),
        key=parse_vkey(parse_certificate(one.encode()).log_key),
        ballots=[record.encode() for record in RECORDS["ballots"]],
        receipt=other.encode(),
    )
    # the example has no list of offers nor witnesses; that of another lottery, and those, are above
    assert {check.name: check.verdict for check in checks} == {
        **dict.fromkeys(CHECKS, Verdict.OK),
        "offers": Verdict.NOT_MADE, "witnessed": Verdict.NOT_MADE,
    }  # fmt: skip


def test_the_worked_example_is_what_the_code_computes() -> None:
    example = section("A worked example")
    record, holder = RECORDS["ballots"][WINNER - 1], RECORDS["holders"][WINNER - 1]
    leaves = [merkle.leaf_hash(each.encode()) for each in RECORDS["ballots"]]
    freeze = records.parse_freeze(RECORDS["freeze"])
    seed = seed_of(RECORDS["freeze"].encode(), None)
    (winner,) = winning_ballots(seed, freeze.size, freeze.places)

    assert [winner.number, winner.counter, freeze.size] == [WINNER, 0, 13]
    assert [records.parse_ballot(text).number for text in blocks("ballot")] == [1, WINNER]
    for text in (record, RECORDS["genesis"], RECORDS["freeze"]):
        assert text in example
    for value in (
        holder["salt"],
        holder_hash(bytes.fromhex(holder["salt"]), holder["username"]).hex(),
        leaves[WINNER - 1].hex(),
        merkle.tree_root(leaves).hex(),
        follow_chain(freeze.secret, freeze.draw + 1).hex(),
        sha256(RECORDS["freeze"].encode()).hexdigest(),
        seed.hex(),
        f"{next(pick_stream(seed)):064x}",
    ):
        assert f"| `{value}` |" in example
    assert f"of {len(RECORDS['freeze'])} bytes" in example
    assert f"`2^256 mod 13` is {2**256 % 13}." in example
    assert f"| `x_0 mod 13 + 1` | {winner.number} |" in example
    assert holder["username"].encode().hex(" ") in example


def test_the_rounds_of_the_example_are_those_that_the_code_takes() -> None:
    example = section("A worked example").replace("\n", " ")
    closes = records.parse_freeze(RECORDS["freeze"]).closes
    late = parse_certificate(certificate("frozen-late").encode())
    freeze, gap = records.parse_freeze(late.freeze), records.parse_genesis(late.genesis).gap

    assert late.beacon is not None
    assert is_late(freeze.closes, freeze.frozen, gap)
    assert f"is {round_at(QUICKNET, closes + timedelta(seconds=600))}." in example
    assert records.format_instant(freeze.frozen) in example
    assert f"of {freeze.closes + timedelta(seconds=gap):%H:%M:%S}." in example
    assert f"t is {due_time(freeze.closes, freeze.frozen, gap):%H:%M:%S}" in example
    assert f"round {freeze.round}." in example
    assert seed_of(late.freeze.encode(), late.beacon.signature).hex() in example


def test_the_numbers_on_the_page_are_those_of_the_code() -> None:
    text = re.sub(r"\s+", " ", PAGE)

    for said in (
        f"c_{DRAWS}",
        f"`draw` is below {DRAWS}",
        f"from 1 to at most {MAX_SIGNATURES} signature lines",
        f"{MAX_BYTES:,} bytes",
        f"{MAX_OFFERS_BYTES:,} bytes",
        f"at most {MAX_PROOF} hex 32",
        f"at most {MAX_SIGNATURES - 1} of them, since a note has",
        f"at most {MAX_POLICY_BYTES // 1024} KiB",
        f"at most {MAX_EACH} logs, {MAX_EACH} witnesses and {MAX_EACH} groups",
        f"of at most {MAX_NAME_BYTES} bytes",
        f"not earlier than `frozen` less {CLOCK_BEHIND} seconds",
        f"salt has {SALT_BYTES} random bytes",
        f"the {len(records.NAMESPACE)} ASCII bytes `{records.NAMESPACE.decode()}`",
        merkle.EMPTY_ROOT.hex(),
        QUICKNET.chain_hash.hex(),
        A_MOMENT,
        FOR_EVER,
        format_path(TilePath(0, 1234067, 256)).removeprefix("0/"),
    ):
        assert said in text, said
