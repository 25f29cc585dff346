"""The browser's verifier against the test vectors, and against the Python verifier."""

import itertools
import json
import mimetypes
import os
import random
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal, NamedTuple, cast
from unittest import mock

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from lottery_system.fairness import checks, merkle, note, tiles
from lottery_system.fairness.certificate import (
    Holder,
    Receipt,
    Unreadable,
    format_receipt,
    parse_certificate,
)
from lottery_system.fairness.cosignature import ML_DSA_44
from lottery_system.fairness.note import NoteError, SigningKey, VerifierKey, format_vkey
from lottery_system.fairness.offers import (
    Offered,
    Offers,
    format_offers,
    format_signed_offers,
)
from lottery_system.fairness.pin import format_pin, parse_pin
from lottery_system.fairness.policy import parse_policy
from lottery_system.fairness.records import BEACON, Genesis, RecordError, format_genesis
from lottery_system.fairness.recovery import format_recovery, parse_recovery, sign_recovery
from lottery_system.fairness.verify import verify
from lottery_system.web.headers import HEADERS
from lottery_system.web.saved_verifier import saved_verifier
from tests.browser.conftest import browsing
from tests.fairness import differential, forge
from tests.fairness.forge import KEY, Log, day_of_an_own_network, places_to_change
from tests.fairness.test_recovery import (
    AFTER,
    BEFORE,
    BESIDE,
    FORGED,
    FORGED_RECEIPT,
    LOST,
    NEXT,
    NOTE,
    REPLACED,
    STATEMENT,
    STRANGER,
)
from tests.stand_ins import odd_keys
from tests.stand_ins.cosigning import CosigningKey

WITNESSED, UNWITNESSED = forge.witnessed_days(), forge.forged_witnesses()

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
DATA = ROOT / "tests" / "fairness" / "data"
CERTIFICATES = sorted((DATA / "certificates").glob("*.json"))
by_certificate = pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)


def vectors(name: str) -> dict[str, Any]:
    return cast(dict[str, Any], json.loads((DATA / name).read_text(encoding="utf-8")))


class Files(SimpleHTTPRequestHandler):
    """Serves the modules under the policy of the lottery's own pages, and an empty page."""

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")  # a test may change what it serves
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class Server(NamedTuple):
    url: str
    folder: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "static").symlink_to(STATIC)
    (folder / "index.html").write_text("<!doctype html><link rel=icon href=/static/img/ticket.svg>")
    assert mimetypes.guess_type("module.js")[0] in {"text/javascript", "application/javascript"}
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = Thread(target=httpd.serve_forever)
    thread.start()
    yield Server(f"http://127.0.0.1:{httpd.server_port}", folder)
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    """Open an empty page, from which modules can be imported."""
    with browsing(chromium, server.url) as page:
        page.goto("/")
        yield page


def run(page: Page, modules: str, script: str, given: object = None) -> Any:
    """Run a script with the names of some modules in use, `given` among them."""
    imports = ",".join(f"import('/static/js/verifier/{name}.js')" for name in modules.split())
    return page.evaluate(
        "async (given) => { const m = Object.assign({}, ...await Promise.all(["
        + imports
        + "])); "
        + script
        + "}",
        given,
    )


class Found(NamedTuple):
    names: list[str]
    verdicts: list[str]
    details: list[str]


def by_python(certificate: bytes, **given: Any) -> Found:
    found = verify(certificate, **given)
    return Found(
        [each.name for each in found],
        [each.verdict.value for each in found],
        [each.detail for each in found],
    )


def by_browser(page: Page, certificate: bytes, **given: object) -> Found:
    """Verify in the browser; bytes travel as numbers."""
    found = run(
        page,
        "verify",
        """
        const { certificate, key, ballots, receipt, recoveries, offers, policy } = given;
        const found = await m.verify(new Uint8Array(certificate), {
          key, receipt, recoveries, policy, offers: offers && new Uint8Array(offers),
          ballots: ballots?.map((each) => new TextEncoder().encode(each)),
        });
        return [found.map((c) => c.name), found.map((c) => c.verdict), found.map((c) => c.detail)];
        """,
        {"certificate": list(certificate), **given},
    )
    return Found(*found)


# --- statements of losses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["honest", "of new keys", "signed by a stranger", "of another journal", "cut"]
)
@pytest.mark.parametrize("pinned", [KEY, NEXT, STRANGER])
def test_statements_are_followed_as_in_python(page: Page, name: str, pinned: SigningKey) -> None:
    note = {
        "honest": NOTE,
        "of new keys": REPLACED,
        "signed by a stranger": sign_recovery(STATEMENT, [STRANGER, NEXT]),
        "of another journal": sign_recovery(STATEMENT._replace(begins=bytes(32)), [KEY, NEXT]),
        "cut": NOTE[:-1],
    }[name]
    another = forge.Day(day=BEFORE.day, draw=1, size=14)  # which the same key has signed
    for certificate in (AFTER.certificate(), BEFORE.certificate(), another.certificate()):
        for receipt in (None, LOST.receipt(3, 10), LOST.receipt(3, 15), LOST.receipt(11, 15)):
            given: dict[str, Any] = {"recoveries": [note]}
            if receipt:
                given["receipt"] = receipt
            python = by_python(certificate, key=pinned.verifier, **given)
            if receipt:
                given["receipt"] = receipt.decode()
            browser = by_browser(page, certificate, key=format_vkey(pinned.verifier), **given)
            assert browser == python


@pytest.mark.parametrize("name", BESIDE)
def test_statements_beside_one_that_fits_are_judged_as_in_python(page: Page, name: str) -> None:
    for notes in ([NOTE, BESIDE[name]], [BESIDE[name], NOTE], [NOTE, NOTE]):
        for certificate in (AFTER.certificate(), BEFORE.certificate()):
            python = by_python(certificate, key=KEY.verifier, recoveries=notes)
            vkey = format_vkey(KEY.verifier)
            assert by_browser(page, certificate, key=vkey, recoveries=notes) == python


@pytest.mark.parametrize("lottery", [None, 7])
@pytest.mark.parametrize(("number", "size"), [(3, 15), (10, 20), (3, 25), (21, 25), (11, 15)])
def test_a_receipt_of_before_a_loss_is_judged_as_in_python(
    page: Page, lottery: int | None, number: int, size: int
) -> None:
    day = forge.Day(size=25, ballot_as=lambda each: each._replace(lottery=lottery or each.lottery))
    receipt = day.receipt(number, size)
    lists: list[list[bytes] | None] = [None, AFTER.log.records]
    for ballots in lists:
        given: dict[str, Any] = {"recoveries": [NOTE]}
        python = by_python(
            AFTER.certificate(), key=KEY.verifier, receipt=receipt, ballots=ballots, **given
        )
        if ballots:
            given["ballots"] = [each.decode() for each in ballots]
        vkey = format_vkey(KEY.verifier)
        browser = by_browser(page, AFTER.certificate(), key=vkey, receipt=receipt.decode(), **given)
        assert browser == python


def test_a_strangers_statement_and_receipt_are_judged_as_in_python(page: Page) -> None:
    given: dict[str, Any] = {"recoveries": [FORGED]}
    certificate, receipt, vkey = LOST.certificate(), FORGED_RECEIPT, format_vkey(KEY.verifier)
    python = by_python(certificate, key=KEY.verifier, receipt=receipt, **given)
    browser = by_browser(page, certificate, key=vkey, receipt=receipt.decode(), **given)
    assert browser == python


def test_statements_are_read_as_strictly_as_in_python(page: Page) -> None:
    texts = [format_recovery(STATEMENT).decode()]
    for place in range(0, len(texts[0]), 3):
        texts.append(texts[0][:place] + chr(ord(texts[0][place]) ^ 1) + texts[0][place + 1 :])
        texts.append(texts[0][:place] + texts[0][place + 1 :])

    def is_read(text: str) -> bool:
        try:
            parse_recovery(text)
        except RecordError:
            return False
        return True

    by_script = run(
        page,
        "recovery",
        """
        return given.map((text) => {
          try { m.parseRecovery(text); return true; } catch (e) {
            if (e.name !== "RecordError") throw e;
            return false;
          }
        });
        """,
        texts,
    )

    assert by_script == [is_read(text) for text in texts]
    assert by_script[0] is True


# --- signed lists of offers --------------------------------------------------------------------


PRIZES = forge.Day()


def test_an_honest_list_of_offers_holds_in_both(page: Page) -> None:
    offers = format_signed_offers(PRIZES.offers()).encode()
    expected = by_python(PRIZES.certificate(), key=KEY.verifier, offers=offers)
    assert expected.verdicts == ["ok"] * 12 + ["--"] * 5

    vkey = format_vkey(KEY.verifier)
    found = by_browser(page, PRIZES.certificate(), key=vkey, offers=list(offers))

    assert found == expected


def test_a_forged_list_of_offers_fails_in_both_by_its_name_and_by_no_other(page: Page) -> None:
    vkey = format_vkey(KEY.verifier)
    for name, offers in forge.forged_offers(PRIZES).items():
        expected = by_python(PRIZES.certificate(), key=KEY.verifier, offers=offers)

        found = by_browser(page, PRIZES.certificate(), key=vkey, offers=list(offers))

        assert found.verdicts == expected.verdicts, name
        at = found.names.index("offers")
        failed = [
            each for each, is_ in zip(found.names, found.verdicts, strict=True) if is_ == "FAIL"
        ]
        assert failed == ["offers"], name
        # each names a value, or where JSON ends, in its own language
        if not {"'", "("} & set(expected.details[at]):
            assert found.details[at] == expected.details[at], name


def test_any_list_of_offers_is_written_as_in_python(page: Page) -> None:
    every = "".join(map(chr, [*range(0x3000), *range(0xFDD0, 0x10100), 0x1F9C0, 0x10FFFF]))
    lists = [
        Offers(PRIZES.day, [Offered(1, every, every[::-1]), Offered(10**18 - 1, "", "/")]),
        Offers(PRIZES.day, []),
    ]
    written = [format_offers(each) for each in lists]

    found = run(
        page,
        "offers",
        "return given.map((text) => [m.parseOffers(text).lotteries.length, text])",
        written,
    )

    assert found == [[2, written[0]], [0, written[1]]]


# --- witnesses ---------------------------------------------------------------------------------


def test_what_witnesses_signed_is_judged_as_in_python(page: Page) -> None:
    vkey = format_vkey(KEY.verifier)
    for name, (certificate, policy) in (WITNESSED | UNWITNESSED).items():
        expected = by_python(certificate, key=KEY.verifier, policy=parse_policy(policy))

        found = by_browser(page, certificate, key=vkey, policy=policy.decode())

        assert found == expected, name
        failed = [
            each for each, is_ in zip(found.names, found.verdicts, strict=True) if is_ == "FAIL"
        ]
        assert failed == (["witnessed"] if name in UNWITNESSED else []), name


def test_after_a_recovery_a_policy_is_for_either_key_as_in_python(page: Page) -> None:
    made = forge.Cosigned(AFTER)
    certificate = made.certificate(*map(made.line, forge.WITNESSES))
    for log, pinned in itertools.product([KEY, NEXT, STRANGER], [KEY, NEXT]):
        policy = forge.policy_of(log=log)
        expected = by_python(
            certificate, key=pinned.verifier, recoveries=[NOTE], policy=parse_policy(policy)
        )
        found = by_browser(
            page,
            certificate,
            key=format_vkey(pinned.verifier),
            recoveries=[NOTE],
            policy=policy.decode(),
        )
        assert found == expected


#: a policy that needs a witness of a kind that no browser checks
OTHER_KIND = CosigningKey("pq.example", b"\x60" * 32, ML_DSA_44)
UNCHECKED = forge.policy_of(*forge.WITNESSES[:2], OTHER_KIND, quorum="group Q all")


def test_lines_of_a_kind_that_the_browser_cannot_check_are_left_open(page: Page) -> None:
    """ML-DSA-44 is what Python checks and no browser does."""
    made, one, other = forge.Cosigned(forge.Day()), forge.WITNESSES[0], OTHER_KIND
    certificate = made.certificate(made.line(one), made.line(other))

    def verdict_by(quorum: str) -> str:
        policy = forge.policy_of(one, other, quorum=quorum).decode()
        found = by_browser(page, certificate, key=format_vkey(KEY.verifier), policy=policy)
        return found.verdicts[found.names.index("witnessed")]

    assert [verdict_by("group Q all"), verdict_by("group Q any")] == ["--", "ok"]


# --- the standards' vectors, and the protocol's ------------------------------------------------


def test_trees_are_those_of_the_rfc(page: Page) -> None:
    given = vectors("merkle_vectors.json")
    leaves, roots = given["leaf_hashes"], given["root_hashes_by_size"]
    for case in given["generated"]["inclusion"]:
        case |= {"leaf_hash": leaves[case["leaf_index"]], "root": roots[case["tree_size"]]}
    for case in given["generated"]["consistency"]:
        case |= {"root1": roots[case["size1"]], "root2": roots[case["size2"]]}
    # what has no place in a JavaScript number travels as text
    cases = {
        kind: [
            [{k: str(v) if type(v) is int else v for k, v in case.items()} for case in found]
            for found in (given[kind], given["generated"][kind])
        ]
        for kind in ("inclusion", "consistency")
    }

    wrong = run(
        page,
        "merkle bytes",
        """
        const hex = m.fromHex, hexes = (all) => all.map(hex), wrong = [];
        for (const c of given.inclusion.flat()) {
          const is = m.checkInclusion(BigInt(c.leaf_index), BigInt(c.tree_size), hex(c.leaf_hash),
                                      hexes(c.proof), hex(c.root));
          if (is !== (c.valid ?? true)) wrong.push(c);
        }
        for (const c of given.consistency.flat()) {
          const is = m.checkConsistency(BigInt(c.size1), BigInt(c.size2), hex(c.root1),
                                        hex(c.root2), hexes(c.proof));
          if (is !== (c.valid ?? true)) wrong.push(c);
        }
        const leaves = given.leaves.map((leaf) => m.leafHash(hex(leaf)));
        given.roots.forEach((root, size) => {
          const tree = new m.Tree();
          for (const leaf of leaves.slice(0, size)) tree.append(leaf);
          if (m.toHex(tree.root) !== root) wrong.push(size);
        });
        return wrong;
        """,
        {**cases, "leaves": given["leaf_inputs_hex"], "roots": given["root_hashes_by_size"]},
    )

    assert wrong == []


def test_the_beacon_is_drands(page: Page) -> None:
    given = vectors("drand_rounds.json")["quicknet"]

    wrong = run(
        page,
        "beacon bytes",
        """
        const { info, rounds } = given;
        const chain = {
          publicKey: m.fromHex(info.public_key), period: BigInt(info.period),
          genesisTime: BigInt(info.genesis_time), groupHash: m.fromHex(info.groupHash),
          scheme: info.schemeID, beaconId: info.metadata.beaconID,
        };
        const wrong = m.toHex(m.chainHash(chain)) === info.hash ? [] : ["chain"];
        rounds.forEach(({ round, time, signature }, at) => {
          const is = (number, hex) => m.checkSignature(chain, BigInt(number), m.fromHex(hex));
          const other = rounds[(at + 1) % rounds.length].signature;
          if (!is(round, signature)) wrong.push(round);
          if (is(round + 1, signature) || is(round, other)) wrong.push(-round);
          if (m.roundAt(chain, BigInt(time)) !== BigInt(round)) wrong.push([round, time]);
        });
        const infinity = "c0" + "0".repeat(94);
        if (m.checkSignature(chain, 1n, m.fromHex(infinity))) wrong.push("infinity");
        return wrong;
        """,
        given,
    )

    assert wrong == []


def test_the_draw_is_that_of_the_vectors(page: Page) -> None:
    given = vectors("daily_draw_v1_vectors.json")
    for case in given["pick"]:
        case["size"], case["places"] = str(case["size"]), str(case["places"])
    refusal = given["pick_refusal"]
    refusal["stream"] = [str(x) for x in refusal["stream"]]
    quicknet = vectors("drand_rounds.json")["quicknet"]["info"]

    wrong = run(
        page,
        "selection chain records merkle beacon bytes dates",
        """
        const wrong = [], hex = m.fromHex;
        const same = (what, one, other) => {
          if (JSON.stringify(one) !== JSON.stringify(other)) wrong.push([what, one, other]);
        };
        const triples = (picks) =>
          picks.map((p) => [p.place, p.number, p.counter].map((each) => Number(each)));
        for (const { seed, size, places, winners } of given.pick) {
          const picks = m.select(m.pickStream(hex(seed)), BigInt(size), BigInt(places));
          same(["pick", seed, size], triples(picks), winners);
        }
        const r = given.pick_refusal;
        same("refusal", triples(m.select(
          r.stream.map(BigInt), BigInt(r.size), BigInt(r.places), BigInt(r.bits))), r.winners);
        for (const [steps, link] of Object.entries(given.secret_chain.steps)) {
          same(["chain", steps], m.toHex(m.followChain(hex(given.secret_chain.tip), +steps)), link);
        }
        const anchor = hex(given.secret_chain.steps[36525]);
        for (const [draw, secret] of Object.entries(given.secret_chain.secret_of_draw)) {
          same(["secret", draw], m.checkSecret(hex(secret), BigInt(draw), anchor), true);
          same(["other", draw], m.checkSecret(hex(secret), BigInt(draw) + 1n, anchor), false);
        }
        for (const { salt, username, holder } of given.holder) {
          same("holder", m.toHex(m.holderHash(hex(salt), username)), holder);
        }
        const chain = { period: BigInt(given.info.period),
                        genesisTime: BigInt(given.info.genesis_time) };
        for (const { time, utc, first_round_at_or_after: round } of given.rounds) {
          same(["round", time], Number(m.roundAt(chain, BigInt(time))), round);
          same(["utc", time], Number(m.parseInstant(utc)), time);
          same(["instant", time], m.formatInstant(BigInt(time)), utc);
        }
        const { genesis, freeze, ballots, leaf_hashes: leaves } = given.records;
        same("genesis", m.parseGenesis(genesis).mode, "operator");
        same("size", Number(m.parseFreeze(freeze).size), ballots.length);
        const tree = new m.Tree();
        ballots.forEach((ballot, at) => {
          same(["number", at], Number(m.parseBallot(ballot).number), at + 1);
          const leaf = m.leafHash(m.utf8(ballot));
          same(["leaf", at], m.toHex(leaf), leaves[at]);
          tree.append(leaf);
        });
        same("root", m.toHex(tree.root), m.toHex(m.parseFreeze(freeze).root));
        return wrong;
        """,
        {**given, "info": quicknet},
    )

    assert wrong == []


# --- both verifiers ----------------------------------------------------------------------------


#: what a certificate comes to: verdict and detail of each check, or what it was refused as
Outcome = list[list[str]] | str

#: said of numbers that no calendar or field has, by each in the words of its own language
OUT_OF_RANGE = "an instant outside the years 1 to 9999"


def outcome_by_python(certificate: bytes) -> Outcome:
    try:
        parse_certificate(certificate)
    except Unreadable:
        return "Unreadable"
    except ValueError:
        pass
    found = verify(certificate)
    return [[each.verdict.value, each.detail] for each in found]


def outcomes_by_browser(page: Page, certificates: list[bytes]) -> list[Outcome]:
    found = run(
        page,
        "verify",
        """
        const found = [];
        for (const each of given) {
          const bytes = Uint8Array.from(atob(each), (byte) => byte.charCodeAt(0));
          found.push(await m.verify(bytes).then(
            (checks) => checks.map((check) => [check.verdict, check.detail]),
            (error) => error.name));
        }
        return found;
        """,
        [b64encode(each).decode() for each in certificates],
    )
    return cast(list[Outcome], found)


def assert_same(found: Outcome, expected: Outcome, what: str) -> None:
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected, what
        return
    assert [verdict for verdict, _ in found] == [verdict for verdict, _ in expected], what
    for (_, detail), (_, other) in zip(found, expected, strict=True):
        assert detail in {other, OUT_OF_RANGE}, what


def verdicts_of(outcome: Outcome) -> list[str]:
    return [] if isinstance(outcome, str) else [verdict for verdict, _ in outcome]


@by_certificate
def test_a_certificate_holds_in_both(page: Page, path: Path) -> None:
    certificate = path.read_bytes()
    key = json.loads(certificate)["log_key"]

    for given in ({}, {"key": key}):
        pinned = {name: note.parse_vkey(each) for name, each in given.items()}
        expected = by_python(certificate, **pinned)

        assert by_browser(page, certificate, **given) == expected
        assert expected.names == list(checks.CHECKS)
        assert expected.verdicts == ["ok"] * 11 + ["--"] * 6


def test_both_tell_of_a_network_that_is_not_quicknet(page: Page) -> None:
    certificate = day_of_an_own_network().certificate()
    expected = by_python(certificate)

    assert by_browser(page, certificate) == expected
    assert expected.verdicts == ["ok"] * 11 + ["--"] * 6


def test_both_say_the_same_of_each_check(page: Page) -> None:
    found = run(page, "checks", "return [[...m.CHECKS], [...m.NOT_NEEDED]]")

    assert found == [[list(each) for each in checks.CHECKS.items()], mock.ANY]
    assert set(found[1]) == checks.NOT_NEEDED


@by_certificate
def test_no_changed_character_is_overlooked(page: Page, path: Path) -> None:
    """Each in turn becomes a neighbour, changes its case, is left out, is doubled."""
    text = path.read_text(encoding="utf-8")
    places = list(places_to_change(text))
    held = run(
        page,
        "verify",
        """
        const [whole, places] = given;
        const original = JSON.stringify(JSON.parse(whole)), held = [];
        const means = (text) => {
          try { return JSON.stringify(JSON.parse(text)); } catch { return null; }
        };
        let count = 0;
        for (const at of places) {
          const code = whole.charCodeAt(at), sign = whole[at];
          for (const other of [String.fromCharCode(code ^ 1), String.fromCharCode(code ^ 32), "",
                               sign + sign]) {
            const text = whole.slice(0, at) + other + whole.slice(at + 1);
            count += 1;
            if (means(text) === original) continue;
            const checks = await m.verify(text).catch(() => []);
            if (checks.length && m.holds(checks)) held.push([at, other]);
          }
        }
        return [count, held];
        """,
        [text, places],
    )

    assert held == [4 * len(places), []]


@by_certificate
def test_both_see_the_same_in_a_changed_certificate(page: Page, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    changed = [
        (text[:at] + other + text[at + 1 :]).encode()
        for at in range(3, len(text), 41)
        for other in (chr(ord(text[at]) ^ 1), "0", "9", "")
    ]

    for certificate, found in zip(changed, outcomes_by_browser(page, changed), strict=True):
        assert_same(found, outcome_by_python(certificate), certificate.decode())


#: seconds for which both are asked about what chance makes; `make fuzz` gives more
SECONDS_TO_FUZZ = int(os.environ.get("SECONDS_TO_FUZZ", "0"))


def test_both_say_the_same_of_what_chance_makes(page: Page) -> None:
    """Keys, notes, policies and proofs, changed at random."""
    ends = time.monotonic() + SECONDS_TO_FUZZ
    while True:
        seed = random.randrange(2**32)
        given, expected = zip(*differential.cases(seed, 60), strict=True)
        found = run(page, "verify note cosignature policy merkle bytes", ASK, given)
        for case, python, browser in zip(given, expected, found, strict=True):
            assert browser == python, (seed, case)
        if time.monotonic() >= ends:
            break


#: what `tests.fairness.differential` asks Python
ASK = """
const said = (say) => {
  try { return say(); } catch (error) {
    if (!["NoteError", "PolicyError"].includes(error.name)) throw error;
    return `refused: ${error.message}`;
  }
};
const answers = {
  key: ({ text }) => [
    said(() => m.parseVkey(text) && text),
    said(() => (m.parsePin(text).genesis ? "pin" : "None")),
    said(() => m.parseWitnessKey(text) && text),
  ],
  note: ({ note, key }) => said(() => String(m.openCheckpoint(note, m.parseVkey(key)).size)),
  policy: ({ data, signed }) =>
    said(() => new m.Policy(new Uint8Array(data)).isMetBy(new Set(signed))),
  inclusion: ({ first, size, leaf, proof, root }) => m.checkInclusion(
    BigInt(first), BigInt(size), m.fromHex(leaf), proof.map(m.fromHex), m.fromHex(root)),
  consistency: ({ first, size, leaf, proof, root }) => m.checkConsistency(
    BigInt(first), BigInt(size), m.fromHex(leaf), m.fromHex(root), proof.map(m.fromHex)),
  witnessed: async ({ certificate, key, policy }) => {
    const checks = await m.verify(certificate, { key, policy });
    const { verdict, detail } = checks.find(({ name }) => name === "witnessed");
    return [verdict, detail];
  },
};
const found = [];
for (const each of given) found.push(await answers[each.kind](each));
return found;
"""


def nasty(original: str) -> dict[str, bytes]:
    """Return what only a careless reader takes for a certificate."""
    whole = json.loads(original)
    genesis, freeze, root = whole["genesis"], whole["freeze"], whole["journal"]["proof"][0]

    def with_(**changes: object) -> str:
        return json.dumps({**whole, **changes})

    def journal(**changes: object) -> str:
        return with_(journal={**whole["journal"], **changes})

    def winner(old: str, new: str) -> str:
        (only,) = whole["winners"]
        return with_(winners=[{**only, "ballot": only["ballot"].replace(old, new)}])

    checkpoint = whole["journal"]["checkpoint"]
    texts = {
        "nothing": "",
        "no JSON": "certificate",
        "a number": "1",
        "null": "null",
        "a list": "[]",
        "an empty object": "{}",
        "two values": original + "{}",
        "a comma too many": original.rstrip()[:-1] + ",}",
        "a byte order mark": "\ufeff" + original,
        "a no-break space": "\u00a0" + original,
        "single quotes": original.replace('"', "'"),
        "a missing field": json.dumps({k: v for k, v in whole.items() if k != "beacon"}),
        "a field of Object": with_(constructor="x"),
        "an own prototype": original.rstrip()[:-1] + ',"__proto__":{}}',
        "only a prototype": '{"__proto__":' + original + "}",
        "a repeated key": original.rstrip()[:-1]
        + ',"log_key":'
        + json.dumps(whole["log_key"])
        + "}",
        "a key repeated in escapes": original.rstrip()[:-1] + ',"log\\u005fkey":"x"}',
        "a number as text": journal(index="4"),
        "a fraction": original.replace('"index": 4', '"index": 4.0'),
        "an exponent": original.replace('"index": 4', '"index": 4e0'),
        "a leading zero": original.replace('"index": 4', '"index": 04'),
        "a plus sign": original.replace('"index": 4', '"index": +4'),
        "minus zero": original.replace('"counter": 0', '"counter": -0'),
        "negative": journal(index=-4),
        "not a number": original.replace('"index": 4', '"index": NaN'),
        "infinite": original.replace('"index": 4', '"index": -Infinity'),
        "true": journal(index=True),
        "too large": journal(index=10**18 + 1),
        "far too large": journal(index=10**30),
        "rounded to the right one": original.replace('"index": 4', '"index": 18446744073709551620'),
        "false for the beacon": with_(beacon=False),
        "0 for the beacon": with_(beacon=0),
        "no text for the beacon": with_(beacon=""),
        "an empty beacon": with_(beacon={}),
        "no winners": with_(winners=[]),
        "winners that are none": with_(winners=[None]),
        "twice the winner": with_(winners=whole["winners"] * 2),
        "CRLF": with_(genesis=genesis.replace("\n", "\r\n")),
        "no last line feed": with_(genesis=genesis[:-1]),
        "a line too many": with_(freeze=freeze + "\n"),
        "other digits": with_(freeze=freeze.replace("13", "\u0661\u0663")),
        "full-width hex": journal(proof=["\uff10" + root[1:]]),
        "upper-case hex": journal(proof=[root.upper()]),
        "hex with spaces": journal(proof=[" " + root[1:]]),
        "a short hash": journal(proof=[root[:-2]]),
        "a hash of text": journal(proof=[1]),
        "a long proof": journal(proof=[root] * 65),
        "base64 unpadded": journal(checkpoint=checkpoint.replace("=\n", "\n")),
        "base64 with bits over": journal(checkpoint=checkpoint.replace("Kc=\n", "Kd=\n")),
        "base64 of the web": journal(checkpoint=checkpoint.replace("/", "_")),
        "base64 on two lines": journal(checkpoint=checkpoint.replace("Kc=\n", "\nKc=\n")),
        "a checkpoint of CRLF": journal(checkpoint=checkpoint.replace("\n", "\r\n")),
        "no signature": journal(checkpoint=checkpoint.split("—")[0]),
        "twice the signature": journal(checkpoint=checkpoint + checkpoint.split("\n\n")[1]),
        "a hyphen for a dash": journal(checkpoint=checkpoint.replace("—", "-")),
        "a witness": journal(checkpoint=checkpoint + "— witness AAAAAAAA\n"),
        "a witness of spaces": journal(checkpoint=checkpoint + "— wit\u2003ness AAAAAAAA\n"),
        "a witness of a mark": journal(checkpoint=checkpoint + "— wit\ufeffness AAAAAAAA\n"),
        "a witness of emoji": journal(checkpoint=checkpoint + "— \U0001f9d0 AAAAAAAA\n"),
        "a witness with a separator": journal(checkpoint=checkpoint + "— wit\x1fness AAAAAAAA\n"),
        "sixteen witnesses": journal(checkpoint=checkpoint + "— witness AAAAAAAA\n" * 16),
        "a ballot of another day": winner("day 2026-11-22", "day 2026-11-21"),
        "a ballot of another time": winner("time 2026-11-22", "time 2026-11-23"),
        "a ballot of another number": winner("number 5", "number 6"),
        "a freeze elsewhere": journal(index=3),
        "half a surrogate pair": with_(genesis="\ud800"),
        "half a pair in a name": original.replace('"username": "', '"username": "\\udc00'),
        "a key of half a pair": original.rstrip()[:-1] + ',"\\ud800":1}',
        "no such day": with_(genesis=genesis.replace("2026-11-19", "2026-02-30")),
        "the year 0": with_(genesis=genesis.replace("2026-11-19", "0000-11-19")),
        "the last year": with_(genesis=genesis.replace("2026-11-19", "9999-12-31")),
        "an hour too many": with_(freeze=freeze.replace("T00:00:00", "T24:00:00")),
        "a leap second": with_(freeze=freeze.replace("T00:00:00", "T23:59:60")),
        "a draw in no calendar": with_(freeze=freeze.replace("draw 3", "draw 999999999999999999")),
        "a size in no memory": with_(freeze=freeze.replace("size 13", "size 999999999999999999")),
        "places without end": with_(
            freeze=freeze.replace("size 13", "size 999999999999999999").replace(
                "places 1", "places 999999999999999999"
            )
        ),
        "the other mode": with_(genesis=genesis.replace("operator", "beacon")),
        "somebody else's key": with_(
            log_key="lottery.example+c74f1b57+AeuKRHBOh2mXBzaKOgfmRLZDy4bc/u3CWJ3iBTmBLvCa"
        ),
        "deep": "[" * 100_000,
        "deep in a field": with_(winners="x").replace('"x"', "[" * 100_000 + "]" * 100_000),
        "a tab in a text": original.replace("lottery.example\\n", "lottery.example\t\\n"),
        "an unknown escape": original.replace("\\n", "\\q", 1),
        "an unfinished escape": '{"format": "\\u00',
        "larger than 8 MiB": original + " " * (8 * 1024 * 1024),
    }
    found = {name: text.encode("utf-8", "surrogatepass") for name, text in texts.items()}
    return {**found, "no UTF-8": original.encode("latin-1", "replace") + b"\xff"}


#: what is different and yet the same certificate: a witness's signature is skipped
HARMLESS = {"a witness", "a witness of a mark", "a witness of emoji"}


def test_both_see_through_what_is_nasty(page: Page) -> None:
    original = (DATA / "certificates" / "operator.json").read_text(encoding="utf-8")
    cases = nasty(original)
    assert all(each != original.encode() for each in cases.values())

    outcomes = outcomes_by_browser(page, list(cases.values()))

    found = dict(zip(cases, outcomes, strict=True))
    for name, certificate in cases.items():
        if "deep" in name:  # it is cut at another depth in each
            assert found[name] == "Unreadable"
        else:
            assert_same(found[name], outcome_by_python(certificate), name)
    held = {name for name in found if verdicts_of(found[name]) == ["ok"] * 11 + ["--"] * 6}
    assert held == HARMLESS


def test_both_refuse_a_key_that_is_not_the_certificates(page: Page, day: "Day") -> None:
    other = json.loads((DATA / "certificates" / "beacon.json").read_bytes())["log_key"]

    found = by_browser(page, day.certificate, key=other)

    assert found == by_python(day.certificate, key=note.parse_vkey(other))
    assert found.verdicts[1] == "FAIL"


# --- receipts, and the log's tiles -------------------------------------------------------------


DAY = "/log/2026-11-22/"


class Day(NamedTuple):
    """The day of the certificate `operator`, and what its holder of ballot 4 was given."""

    certificate: bytes
    key: str
    ballots: list[str]
    receipt: Receipt

    @property
    def receipt_json(self) -> str:
        return format_receipt(self.receipt)


@pytest.fixture(scope="module")
def day() -> Day:
    given = vectors("daily_draw_v1_vectors.json")
    certificate = (DATA / "certificates" / "operator.json").read_bytes()
    found, index = given["receipt"], given["receipt"]["index"]
    holder = given["records"]["holders"][index]
    return Day(
        certificate,
        json.loads(certificate)["log_key"],
        given["records"]["ballots"],
        Receipt(
            ballot=given["records"]["ballots"][index],
            holder=Holder(holder["username"], bytes.fromhex(holder["salt"])),
            index=index,
            proof=[bytes.fromhex(each) for each in found["proof"]],
            checkpoint=found["checkpoint"],
        ),
    )


def write_log(folder: Path, ballots: list[bytes]) -> None:
    """Write a log's tiles, as a server has them."""
    leaves = [merkle.leaf_hash(ballot) for ballot in ballots]
    found: dict[tiles.Tile, bytes] = {}
    for piece in tiles.pieces(merkle.Frontier().extend(leaves)[1]):
        found[piece.tile] = found.get(piece.tile, b"") + piece.hashes
    addresses = {
        tiles.TilePath(*tile, len(hashes) // merkle.HASH_BYTES): hashes
        for tile, hashes in found.items()
    }
    for at in range(0, len(ballots), tiles.TILE_WIDTH):
        bundle = ballots[at : at + tiles.TILE_WIDTH]
        path = tiles.TilePath(None, at // tiles.TILE_WIDTH, len(bundle))
        addresses[path] = tiles.format_entries(bundle)
    for path, content in addresses.items():
        file = folder / "tile" / tiles.format_path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@pytest.fixture
def log(server: Server, day: Day) -> Iterator[Path]:
    """Serve the day's log, which a test may spoil."""
    folder = server.folder / DAY.strip("/")
    write_log(folder, [ballot.encode() for ballot in day.ballots])
    yield folder
    shutil.rmtree(folder)


def kept_by_tiles(page: Page, day: Day) -> tuple[str, str]:
    found = run(
        page,
        "verify",
        """
        const { certificate, key, receipt, log } = given;
        const found = await m.verify(certificate, { key, receipt, tiles: m.tilesFrom(log) });
        return found.at(-1);
        """,
        {
            "certificate": day.certificate.decode(),
            "key": day.key,
            "receipt": day.receipt_json,
            "log": DAY,
        },
    )
    assert found["name"] == "receipt kept"
    return found["verdict"], found["detail"]


def test_a_receipt_and_a_list_hold_in_both(page: Page, day: Day) -> None:
    expected = by_python(
        day.certificate,
        key=note.parse_vkey(day.key),
        ballots=[ballot.encode() for ballot in day.ballots],
        receipt=day.receipt_json.encode(),
    )

    found = by_browser(
        page, day.certificate, key=day.key, ballots=day.ballots, receipt=day.receipt_json
    )

    assert found == expected
    assert found.verdicts == ["ok"] * 11 + ["--"] * 2 + ["ok"] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda list_, receipt: (list_[:-1], receipt),
        lambda list_, receipt: (list_ + list_[-1:], receipt),
        lambda list_, receipt: ([list_[1], list_[0], *list_[2:]], receipt),
        lambda list_, receipt: ([list_[0].replace("T", "t"), *list_[1:]], receipt),
        lambda list_, receipt: ([list_[0].replace("lottery ", "lottery 9"), *list_[1:]], receipt),
        lambda list_, receipt: ([], receipt),
        lambda list_, receipt: (None, receipt),
        lambda list_, receipt: (list_, receipt.replace('"index": 3', '"index": 2')),
        lambda list_, receipt: (list_, receipt.replace('"index": 3', '"index": "3"')),
        lambda list_, receipt: (list_, receipt.replace("2026-11-22\\n6", "2026-11-22\\n7")),
        lambda list_, receipt: (list_, receipt.replace('"salt": "', '"salt": "0')),
        lambda list_, receipt: (list_, receipt.replace('"username": "', '"username": "x')),
        lambda list_, receipt: (list_, receipt.replace("number 4", "number 5")),
        lambda list_, receipt: (list_, "{}"),
    ],
)
def test_both_see_the_same_in_a_changed_receipt_or_list(
    page: Page, day: Day, change: Callable[[list[str], str], tuple[list[str] | None, str]]
) -> None:
    ballots, receipt = change(day.ballots, day.receipt_json)
    expected = by_python(
        day.certificate,
        key=note.parse_vkey(day.key),
        ballots=None if ballots is None else [ballot.encode() for ballot in ballots],
        receipt=receipt.encode(),
    )

    found = by_browser(page, day.certificate, key=day.key, ballots=ballots, receipt=receipt)

    assert found == expected
    assert found.verdicts != ["ok"] * 11 + ["--"] * 2 + ["ok"] * 4


def test_tiles_show_that_a_receipt_was_kept(page: Page, day: Day, log: Path) -> None:
    assert kept_by_tiles(page, day) == ("ok", checks.CHECKS["receipt kept"])


def test_tiles_of_another_log_fail_the_check(page: Page, day: Day, log: Path) -> None:
    (tile,) = (log / "tile" / "0").rglob("13")
    tile.write_bytes(tile.read_bytes()[:-1] + b"?")

    assert kept_by_tiles(page, day) == ("FAIL", "the log was changed after the receipt was given")


def test_short_tiles_fail_the_check(page: Page, day: Day, log: Path) -> None:
    (tile,) = (log / "tile" / "0").rglob("13")
    tile.write_bytes(tile.read_bytes()[:-32])

    assert kept_by_tiles(page, day) == ("FAIL", "tile/0/000 does not reach so far")


def test_without_tiles_nothing_is_said(page: Page, day: Day) -> None:
    verdict, detail = kept_by_tiles(page, day)

    assert verdict == "--"
    assert "tile/0/000.p/13 was answered with 404" in detail


def test_a_full_tile_stands_in_for_a_part(page: Page, day: Day, log: Path) -> None:
    """A server need not keep a partial tile once it is full (C2SP tlog-tiles)."""
    (tile,) = (log / "tile" / "0").rglob("13")
    content = tile.read_bytes()
    shutil.rmtree(tile.parent)
    (log / "tile" / "0" / "000").write_bytes(content + bytes(32 * 243))

    assert kept_by_tiles(page, day)[0] == "ok"


def test_records_of_a_log_are_the_list(page: Page, day: Day, log: Path) -> None:
    found = run(
        page,
        "verify",
        """
        const { certificate, key, log } = given;
        const tiles = m.tilesFrom(log);
        const found = await m.verify(certificate, {
          key, ballots: (size) => m.readRecords(tiles, size) });
        return found.find(({ name }) => name === "list");
        """,
        {"certificate": day.certificate.decode(), "key": day.key, "log": DAY},
    )

    assert found["verdict"] == "ok"


def test_proofs_out_of_tiles_are_those_of_python(page: Page, server: Server) -> None:
    """A log with a third level of tiles, and addresses of two groups."""
    size = 256 * 1001 + 3
    ballots = [b"%d" % number for number in range(size)]
    folder = server.folder / "log" / "long"
    write_log(folder, ballots)
    rows = merkle.Frontier().extend([merkle.leaf_hash(each) for each in ballots])[1]
    known: dict[tiles.Tile, bytes] = {}
    for piece in tiles.pieces(rows):
        known[piece.tile] = known.get(piece.tile, b"") + piece.hashes
    sizes = [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 131_072, 200_000, size - 1, size]

    found = run(
        page,
        "tiles bytes",
        """
        const tiles = m.tilesFrom("/log/long/");
        const proofs = [];
        for (const size of given.sizes) {
          const proof = await m.proveConsistency(tiles, BigInt(size), BigInt(given.size));
          proofs.push(proof.map(m.toHex));
        }
        let count = 0;
        // fewer than the log has: a bundle that is full now is asked for as it was then
        for await (const record of m.readRecords(tiles, 600n)) {
          if (new TextDecoder().decode(record) !== String(count)) throw new Error(count);
          count += 1;
        }
        return [proofs, count];
        """,
        {"sizes": sizes, "size": size},
    )

    expected = [tiles.prove_consistency(lambda wanted: known, each, size) for each in sizes]
    assert found == [[[each.hex() for each in proof] for proof in expected], 600]


@pytest.mark.parametrize("number", [0, 7, 999, 1000, 1234067, 10**15 // 256])
@pytest.mark.parametrize("width", [256, 255, 1])
def test_addresses_of_tiles_are_those_of_python(page: Page, number: int, width: int) -> None:
    found = run(
        page,
        "tiles",
        "return m.pathOf(3n, BigInt(given[0]), BigInt(given[1]))",
        [str(number), width],
    )

    assert found == f"tile/{tiles.format_path(tiles.TilePath(3, number, width))}"


# --- the draw page -----------------------------------------------------------------------------

DRAW_PAGE = """<!doctype html>
<html lang="en">
<head><title>Draw</title><link rel="icon" href="/static/img/ticket.svg">
<script type="module" src="/static/js/draw.js"></script></head>
<body><section data-verifier data-certificate="/draw/certificate.json" data-log="/log/2026-11-22/">
<label>Key <input data-key></label>
<label>Policy <textarea data-policy></textarea></label>
<label><input type="checkbox" data-list> Every ballot, too</label>
<button type="button" data-check hidden>Check this draw</button>
<ol data-checks>{items}</ol>
<output data-verdict aria-live="polite"></output>
<button type="button" data-receipt="/draw/receipt.json" hidden>Was ballot 4 in?</button>
</section></body></html>
"""


@pytest.fixture
def draw(server: Server, day: Day) -> Iterator[Path]:
    """Serve the page of a draw, as it is agreed on in draw.js."""
    items = "".join(f"<li data-name='{name}'>{says}.</li>" for name, says in checks.CHECKS.items())
    folder = server.folder / "draw"
    folder.mkdir()
    (folder / "index.html").write_text(DRAW_PAGE.format(items=items), encoding="utf-8")
    (folder / "certificate.json").write_bytes(day.certificate)
    (folder / "receipt.json").write_text(day.receipt_json, encoding="utf-8")
    yield folder
    shutil.rmtree(folder)


def check(page: Page) -> str:
    """Press the button and return the sentence in which it ends."""
    page.get_by_role("button", name="Check this draw").click()
    page.locator("section:not([aria-busy=true])").wait_for()
    return page.locator("output").first.inner_text()


def ask_for_ballot(page: Page) -> tuple[str | None, str]:
    page.get_by_role("button", name="Was ballot 4 in?").click()
    page.locator("section:not([aria-busy=true])").wait_for()
    output = page.locator("[data-receipt] + output")
    return output.get_attribute("data-verdict"), output.inner_text()


def verdicts(page: Page) -> list[str | None]:
    items = page.locator("[data-checks] li")
    found = items.evaluate_all("(all) => all.map((item) => item.dataset.verdict)")
    return cast(list[str | None], found)


def test_the_draw_page_checks_its_draw(page: Page, draw: Path, log: Path, day: Day) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/draw/")
    button = page.get_by_role("button", name="Check this draw")
    button.wait_for()
    assert not any("/verifier/v" in url or "/vendor/" in url for url in asked)

    sentence = check(page)

    assert sentence.startswith("This draw is correct: all 11 checks passed on this device.")
    assert "Compare it with the lottery’s key from another source" in sentence
    assert verdicts(page) == ["ok"] * 11 + ["--"] * 6
    secret = page.locator("[data-name=secret]")
    assert secret.inner_text() == f"Passed. {checks.CHECKS['secret']}."
    assert page.locator("[data-name=beacon]").inner_text() == (
        "Passed. There is no public random number to check."  # and not that its signature is right
    )

    page.locator("[data-key]").fill(day.key)
    page.locator("[data-list]").check()
    assert check(page) == (
        "This draw is correct: all 12 checks passed on this device. "
        "They can’t show that whoever runs the server added no late ballots to change the result."
    )
    assert verdicts(page) == ["ok"] * 11 + ["--", "--", "ok"] + ["--"] * 3
    assert secret.inner_text() == f"Passed. {checks.CHECKS['secret']}."  # once, not twice


def test_the_draw_page_checks_who_else_signed(page: Page, draw: Path) -> None:
    policy = WITNESSED["two of three"][1]
    made = forge.Cosigned(forge.Day(mode=BEACON))
    certificate = made.certificate(*map(made.line, [*forge.WITNESSES[:2], OTHER_KIND]))
    (draw / "certificate.json").write_bytes(certificate)
    page.goto("/draw/")
    for text, sentence in (
        (policy, "This draw is correct: all 12 checks"),
        (forge.policy_of(quorum="group Q all"), "Your witnesses don’t confirm this draw: 2 of 3"),
        (UNCHECKED, "Not everything could be checked. Still open: witnessed."),
        (b"quorum all", "This isn’t a witness policy (line 1: no line above defines all)."),
    ):
        page.locator("[data-policy]").fill(text.decode())
        assert check(page).startswith(sentence)


def test_the_draw_page_finds_ones_own_ballot(page: Page, draw: Path, log: Path) -> None:
    page.goto("/draw/")

    verdict, sentence = ask_for_ballot(page)

    assert (verdict, sentence[:33]) == ("ok", "Yes, this ballot was in the draw.")


def test_the_draw_page_proves_a_dropped_ballot(page: Page, draw: Path, log: Path) -> None:
    (tile,) = (log / "tile" / "0").rglob("13")
    tile.write_bytes(bytes(13 * 32))
    page.goto("/draw/")

    verdict, sentence = ask_for_ballot(page)

    assert verdict == "FAIL"
    assert "the log was changed after the receipt was given" in sentence


def test_the_draw_page_does_not_call_a_receipt_good_that_it_could_not_check(
    page: Page, draw: Path
) -> None:
    page.goto("/draw/")

    verdict, sentence = ask_for_ballot(page)

    assert verdict == "--"
    assert sentence.startswith("Not all of this receipt could be checked: the log could not be")


def test_the_draw_page_names_what_does_not_hold(page: Page, draw: Path, day: Day) -> None:
    forged = day.certificate.replace(b'"number": 5', b'"number": 6')
    (draw / "certificate.json").write_bytes(forged)
    page.goto("/draw/")

    sentence = check(page)

    assert sentence.startswith("This draw is not correct. Failed: winners, ballots.")
    assert page.locator("[data-name=winners]").get_attribute("data-verdict") == "FAIL"
    assert page.locator("[data-name=winners] [data-mark]").inner_text().strip() == "Failed."


def test_the_draw_page_ends_in_a_sentence_whatever_happens(
    page: Page, draw: Path, day: Day
) -> None:
    page.goto("/draw/")
    page.locator("[data-key]").fill("my key")
    assert check(page).startswith("This isn’t a lottery’s key.")

    page.locator("[data-key]").fill("")
    (draw / "certificate.json").write_text("<!doctype html>")
    assert check(page).startswith("We can’t read what the lottery sent: this is not JSON")

    (draw / "certificate.json").unlink()
    assert check(page).startswith("There’s nothing to check here yet.")
    assert verdicts(page) == [None] * len(checks.CHECKS)


def test_the_draw_page_says_when_it_is_offline(
    chromium: Browser, server: Server, draw: Path
) -> None:
    context = chromium.new_context(base_url=server.url)  # which will complain on its console
    page = context.new_page()
    page.goto("/draw/")
    page.get_by_role("button", name="Check this draw").wait_for()
    context.set_offline(True)

    assert check(page).startswith("The checker couldn’t be loaded. Check your connection")
    context.set_offline(False)
    page.reload()
    assert check(page).startswith("This draw is correct")
    context.set_offline(True)
    assert check(page).startswith("We couldn’t reach the lottery. Check your connection")
    context.close()


# --- the saved file ----------------------------------------------------------------------------


@pytest.fixture
def saved(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """Open the saved file from the disk, without a network."""
    file = tmp_path / "check-a-draw.html"
    file.write_text(saved_verifier(STATIC), encoding="utf-8")
    with browsing(chromium, "about:blank", offline=True) as page:
        page.goto(file.as_uri())
        page.locator("li").last.wait_for()
        yield page


def drop(page: Page, name: str, content: bytes) -> None:
    given = page.evaluate_handle(
        """([name, text]) => {
          const given = new DataTransfer();
          given.items.add(new File([text], name, { type: "application/json" }));
          return given;
        }""",
        [name, content.decode()],
    )
    page.dispatch_event("main", "drop", {"dataTransfer": given})


@by_certificate
def test_the_saved_file_checks_what_is_dropped_on_it(saved: Page, path: Path) -> None:
    drop(saved, path.name, path.read_bytes())

    expect(saved.locator("output")).to_contain_text("This draw is correct: all 11 checks")
    assert verdicts(saved) == ["ok"] * 11 + ["--"] * 6
    expect(saved.get_by_text(f"Chosen: {path.name}")).to_be_visible()


def test_the_saved_file_names_what_does_not_hold(saved: Page, day: Day, tmp_path: Path) -> None:
    forged = tmp_path / "certificate.json"
    forged.write_bytes(day.certificate.replace(b'"username": "', b'"username": "x'))

    saved.get_by_label("Certificate").set_input_files(forged)

    expect(saved.locator("output")).to_contain_text("Failed: holders.")
    assert saved.locator("[data-name=holders]").get_attribute("data-verdict") == "FAIL"
    expect(saved.locator("[data-name=holders]")).to_contain_text("Failed")


def test_the_saved_file_follows_several_statements(saved: Page, tmp_path: Path) -> None:
    third = SigningKey(KEY.name, b"\x0a" * 32)
    last = forge.Day(day=AFTER.day + timedelta(days=1), draw=0, key=third)
    again = STATEMENT._replace(
        key=STATEMENT.next,
        ended=STATEMENT.begins,
        signed=2,
        next=format_vkey(third.verifier),
        begins=sha256(format_genesis(last.genesis)).digest(),
        first=last.day,
        ballots=(),
    )
    notes = {"1": REPLACED, "2": sign_recovery(again, [NEXT, third])}
    for name, text in notes.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    saved.get_by_label("The lottery’s key").fill(format_vkey(KEY.verifier))
    drop(saved, "certificate.json", last.certificate())
    expect(saved.locator("output")).to_contain_text("Failed: checkpoint")

    saved.get_by_label("Statements").set_input_files([tmp_path / name for name in notes])

    expect(saved.locator("output")).to_contain_text("This draw is correct: all 12 checks")
    expect(saved.get_by_text("Chosen: 1, 2")).to_be_visible()


def test_the_saved_file_takes_a_policy(saved: Page) -> None:
    certificate, policy = WITNESSED["two of three"]
    drop(saved, "certificate.json", certificate)
    drop(saved, "witnesses.txt", policy)
    expect(saved.locator("output")).to_contain_text("This draw is correct: all 12 checks")
    expect(saved.get_by_text("Chosen: witnesses.txt")).to_be_visible()

    drop(saved, "witnesses.txt", forge.policy_of(quorum="group Q all"))
    expect(saved.locator("output")).to_contain_text("Your witnesses don’t confirm this draw")
    drop(saved, "witnesses.txt", policy + b"quorum W0")
    expect(saved.locator("output")).to_contain_text("This isn’t a witness policy (line 7: there is")


def test_the_saved_file_takes_key_and_receipt(saved: Page, day: Day) -> None:
    drop(saved, "receipt.json", day.receipt_json.encode())
    expect(saved.locator("output")).to_contain_text("Choose a draw’s certificate")
    drop(saved, "certificate.json", day.certificate)
    expect(saved.locator("output")).to_contain_text("Not all of this receipt could be checked")

    saved.get_by_label("The lottery’s key").fill(day.key)
    saved.keyboard.press("Enter")
    expect(saved.locator("output")).to_contain_text("to change the result. Not all of this")
    assert verdicts(saved) == ["ok"] * 11 + ["--"] * 3 + ["ok", "ok", "--"]
    # never good while the receipt is not fully checked
    expect(saved.locator("output")).to_have_attribute("data-verdict", "--")

    saved.get_by_label("The lottery’s key").fill(day.key.replace("lottery", "other"))
    saved.get_by_role("button", name="Check").click()
    expect(saved.locator("output")).to_contain_text("This isn’t a lottery’s key.")


def test_the_saved_file_takes_the_list_of_ballots_that_a_receipt_needs(
    saved: Page, tmp_path: Path
) -> None:
    records = PRIZES.log.records
    folder = Log(records).write(tmp_path / "ballots")
    drop(saved, "certificate.json", PRIZES.certificate())
    drop(saved, "receipt.json", PRIZES.receipt(4, 6))
    expect(saved.locator("output")).to_have_attribute("data-verdict", "--")
    saved.get_by_label("List of ballots").set_input_files(folder)

    expect(saved.locator("output")).to_contain_text("Your receipt matches the final list.")
    expect(saved.locator("output")).to_have_attribute("data-verdict", "ok")
    assert verdicts(saved) == ["ok"] * 11 + ["--"] * 2 + ["ok"] * 4

    # a list without the last ballot, one with another, one that ends within a record, and none
    without = Log(records[:-1]).write(tmp_path / "without")
    other = Log([*records[:-1], records[0]]).write(tmp_path / "other")
    cut = Log(records).write(tmp_path / "cut")
    (bundle,) = (each for each in cut.rglob("*") if each.is_file())
    bundle.write_bytes(bundle.read_bytes()[:-1])
    for wrong in (without, other, cut):
        saved.get_by_label("List of ballots").set_input_files(wrong)
        expect(saved.locator("output")).to_contain_text("Failed: list.")
        expect(saved.locator("output")).to_have_attribute("data-verdict", "FAIL")
    (empty := tmp_path / "empty").mkdir()
    (empty / "list.txt").write_text("1\n")
    saved.get_by_label("List of ballots").set_input_files(empty)
    expect(saved.get_by_text("This folder has no list of ballots.")).to_be_visible()
    expect(saved.locator("output")).to_have_attribute("data-verdict", "--")


def test_the_saved_file_takes_a_list_of_prizes(saved: Page) -> None:
    forged = forge.forged_offers(PRIZES)["a prize renamed"]
    drop(saved, "certificate.json", PRIZES.certificate())
    for offers, sentence, verdict in (
        (format_signed_offers(PRIZES.offers()).encode(), "correct: all 12 checks", "ok"),
        (forged, "Failed: offers.", "FAIL"),
    ):
        drop(saved, "offers.json", offers)
        expect(saved.locator("output")).to_contain_text(sentence)
        assert saved.locator("[data-name=offers]").get_attribute("data-verdict") == verdict
    expect(saved.get_by_text("Chosen: offers.json")).to_be_visible()


def test_the_saved_file_says_what_is_no_certificate(saved: Page) -> None:
    drop(saved, "photo.json", b"not json")

    expect(saved.locator("output")).to_contain_text("This isn’t a certificate or a receipt")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1440])
def test_the_saved_file_can_be_read_by_everybody(
    saved: Page, day: Day, scheme: Literal["light", "dark"], width: int
) -> None:
    saved.set_viewport_size({"width": width, "height": 800})
    saved.emulate_media(color_scheme=scheme)
    drop(saved, "certificate.json", day.certificate.replace(b'"number": 5', b'"number": 6'))
    expect(saved.locator("output")).to_contain_text("Failed")

    found = Axe().run(saved, options={"resultTypes": ["violations"]})

    assert [each["id"] for each in found.response["violations"]] == []
    assert saved.evaluate("document.documentElement.scrollWidth") <= width


def test_the_saved_file_is_made_of_every_module() -> None:
    page = saved_verifier(STATIC)

    for path in [*STATIC.glob("js/verifier/*.js"), STATIC / "js" / "vendor" / "noble.js"]:
        assert f'"{path.parent.name}/{path.name}": "data:text/javascript;base64,' in page
    for word in ("http://", "https://"):
        assert word not in page


# --- what it is made of ------------------------------------------------------------------------


def test_the_bundle_is_of_the_versions_that_are_pinned() -> None:
    pinned = json.loads((ROOT / "requirements" / "vendor" / "package.json").read_text())
    versions = {**pinned["dependencies"], **pinned["devDependencies"]}
    head = (STATIC / "js" / "vendor" / "noble.js").read_text().split("*/")[0]

    for name, version in versions.items():
        assert f"{name} {version}" in head
    assert "MIT licence" in head


@pytest.mark.parametrize("genesis", [BEFORE.genesis, AFTER.genesis, forge.Day(draw=1).genesis])
@pytest.mark.parametrize("day", [BEFORE, AFTER, forge.Day(draw=1)])
def test_a_key_that_was_noted_with_a_genesis_is_judged_as_in_python(
    page: Page, day: forge.Day, genesis: Genesis
) -> None:
    noted = sha256(format_genesis(genesis)).digest()
    pin = format_pin(KEY.verifier, noted)
    for notes in ([], [NOTE]):
        python = by_python(day.certificate(), key=KEY.verifier, genesis=noted, recoveries=notes)
        assert by_browser(page, day.certificate(), key=pin, recoveries=notes) == python


def test_a_key_that_comes_back_in_a_line_of_journals_is_judged_as_in_python(page: Page) -> None:
    """The first and the third journal have one key: statements lead nowhere from it to itself."""
    third = forge.Day(day=AFTER.day + timedelta(days=1), draw=0)
    back = STATEMENT._replace(
        key=STATEMENT.next,
        ended=STATEMENT.begins,
        signed=2,
        next=STATEMENT.key,
        begins=sha256(format_genesis(third.genesis)).digest(),
        first=third.genesis.first,
        ballots=(),
    )
    notes = [NOTE, sign_recovery(back, [NEXT, KEY])]
    for genesis in (BEFORE.genesis, AFTER.genesis, third.genesis):
        noted = sha256(format_genesis(genesis)).digest()
        python = by_python(third.certificate(), key=KEY.verifier, genesis=noted, recoveries=notes)
        pin = format_pin(KEY.verifier, noted)
        assert by_browser(page, third.certificate(), key=pin, recoveries=notes) == python


def test_a_pin_is_read_as_strictly_as_in_python(page: Page) -> None:
    pin = format_pin(KEY.verifier, bytes(32))
    texts = ["", "@", pin, pin[:-1], pin + "0", pin.upper(), pin + "\n", "@" + pin]
    texts += [pin.replace("@", "@@"), pin.partition("@")[0]]

    def is_read(text: str) -> bool:
        try:
            parse_pin(text)
        except NoteError:
            return False
        return True

    by_script = run(
        page,
        "note",
        "return given.map((t) => { try { m.parsePin(t); return true; } catch { return false; } })",
        texts,
    )

    assert by_script == [is_read(text) for text in texts]


def test_odd_keys_and_signatures_are_refused_as_in_python(page: Page) -> None:
    """Whatever libraries make of them."""
    owner = "lottery.example"
    as_keys = [
        (odd.name, format_vkey(VerifierKey(owner, odd.encoded)), odd.is_taken)
        for odd in odd_keys.public_keys()
    ]
    as_notes = []
    for odd in odd_keys.signed():
        key = VerifierKey(owner, odd.public_key)
        blob = b64encode(key.key_id + odd.signature).decode()
        note = f"{odd_keys.MESSAGE.decode()}\n— {owner} {blob}\n"
        as_notes.append((odd.name, format_vkey(key), note, odd.holds))
    assert {taken for _, _, taken in as_keys} == {holds for *_, holds in as_notes} == {True, False}

    wrong = run(
        page,
        "note",
        """
        const wrong = [];
        const works = (act) => {
          try { act(); return true; } catch (error) {
            if (error.name !== "NoteError") wrong.push(String(error));
            return false;
          }
        };
        for (const [name, vkey, isTaken] of given.keys) {
          if (works(() => m.parseVkey(vkey)) !== isTaken) wrong.push(name);
        }
        for (const [name, vkey, note, holds] of given.notes) {
          const key = m.parseVkey(vkey);
          if (works(() => m.openNote(note, key)) !== holds) wrong.push(name);
        }
        return wrong;
        """,
        {"keys": as_keys, "notes": as_notes},
    )

    assert wrong == []
