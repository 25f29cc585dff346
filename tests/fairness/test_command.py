"""The verifier as a program: output, exit codes, and the downloaded file."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from lottery_system.fairness.bundle import zipapp_bytes
from lottery_system.fairness.certificate import MAX_BYTES
from lottery_system.fairness.checks import CHECKS
from lottery_system.fairness.note import Checkpoint, SigningKey, format_vkey, sign_checkpoint
from lottery_system.fairness.offers import format_signed_offers
from tests.fairness.forge import KEY, Day
from tests.stand_ins.processes import PATIENCE, ROOT

VKEY = format_vkey(KEY.verifier)
MODULE = [sys.executable, "-m", "lottery_system.fairness"]


def run(*arguments: object, program: list[str] = MODULE) -> tuple[int, str, str]:
    done = subprocess.run(
        [*program, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def day() -> Day:
    """Return a day of several bundles of ballots, the last one partial."""
    return Day(size=600)


@pytest.fixture
def certificate(day: Day, tmp_path: Path) -> Path:
    path = tmp_path / "certificate.json"
    path.write_bytes(day.certificate())
    return path


@pytest.fixture
def log(day: Day, tmp_path: Path) -> Path:
    return day.log.write(tmp_path / "log")


def test_all_that_can_be_checked_is_said_a_line_each(
    day: Day, certificate: Path, log: Path, tmp_path: Path
) -> None:
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(day.receipt(300, 400))

    code, said, _ = run("verify", certificate, "--key", VKEY, "--log", log, "--receipt", receipt)

    assert code == 0
    lines = said.splitlines()
    assert len(lines) == len(CHECKS)
    not_made = [line for line in lines if not line.startswith("ok   ")]
    assert [line.split(":")[0] for line in not_made] == ["--   offers", "--   witnessed"]
    assert "list: the list of ballots is complete, in order" in said


def test_a_receipt_that_was_given_and_not_fully_checked_never_ends_with_zero(
    day: Day, certificate: Path, log: Path, tmp_path: Path
) -> None:
    older, newest, none, other = (tmp_path / name for name in ("older", "newest", "none", "other"))
    older.write_bytes(day.receipt(300, 400))
    newest.write_bytes(day.receipt(300, day.size))
    none.write_text("{}")
    other.write_bytes(Day(size=day.size, key=SigningKey(KEY.name, b"\x09" * 32)).receipt(3, 400))

    def code(receipt: Path, *log: object) -> int:
        return run("verify", certificate, "--key", VKEY, "--receipt", receipt, *log)[0]

    assert code(older) == 1  # it takes the list to tell
    assert code(older, "--log", log) == 0
    assert code(newest) == 0  # its root is the one that was frozen
    assert code(none, "--log", log) == 1
    assert code(other, "--log", log) == 1  # signed by somebody else


def test_what_was_not_given_is_not_made_and_said_so(certificate: Path) -> None:
    code, said, _ = run("verify", certificate)

    assert code == 0
    assert "--   list: not made: no list of ballots was given" in said
    assert "this certificate alone cannot tell" in said


def test_a_check_that_fails_is_named_and_ends_with_one(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "forged.json"
    path.write_bytes(day.certificate(lambda each: each["winners"].pop()))

    code, said, _ = run("verify", path, "--key", VKEY)

    assert code == 1
    assert "FAIL winners: there are 1 winning ballots, not 2" in said


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda log: (log / "tile/entries/001").unlink(), "the list ends after 256 of 600"),
        (lambda log: (log / "tile/entries/002.p/88").unlink(), "the list ends after 512 of 600"),
        (lambda log: (log / "tile/entries/001").write_bytes(b"\0"), "ends in the middle"),
        (lambda log: (log / "tile/entries/001").write_bytes(b"\0\0"), "has 1 records, not 256"),
        (
            lambda log: swap(log / "tile/entries/000", log / "tile/entries/001"),
            "has the number 257",
        ),
    ],
)
def test_a_log_that_is_damaged_fails_the_list_alone(
    certificate: Path, log: Path, spoil: Callable[[Path], object], fault: str
) -> None:
    spoil(log)

    code, said, _ = run("verify", certificate, "--log", log)

    assert code == 1
    assert [line for line in said.splitlines() if line.startswith("FAIL")] == [
        line for line in said.splitlines() if line.startswith("FAIL list:")
    ]
    assert fault in said


def swap(one: Path, other: Path) -> None:
    text = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.json"], "nowhere.json cannot be read (No such file or directory)"),
        (["."], "cannot be read (Is a directory)"),
        (["{large}"], "this is larger than 8 MiB"),
        (["{garbage}"], "this is not JSON"),
        (["{certificate}", "--key", "nonsense"], "--key: this is not a verifier key"),
        (["{certificate}", "--log", "nowhere"], "nowhere is not a folder"),
        (["{certificate}", "--receipt", "{garbage}"], "this is not JSON"),
        (["{certificate}", "--receipt", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_read_ends_with_two(
    certificate: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (MAX_BYTES + 2))
    (tmp_path / "garbage.json").write_bytes(b"\x89PNG")
    files = {
        "certificate": certificate, "large": tmp_path / "large.json",
        "garbage": tmp_path / "garbage.json",
    }  # fmt: skip

    code, said, complained = run("verify", *(each.format(**files) for each in arguments))

    assert (code, said) == (2, "")
    assert sentence in complained
    assert complained.count("\n") == 1


@pytest.fixture
def site(day: Day, tmp_path: Path) -> Iterator[str]:
    """Serve a day's log from a folder, and return its address."""
    folder = day.log.write(tmp_path / "site")
    checkpoint = Checkpoint(f"{KEY.name}/{day.day}", day.size, day.log.root)
    (folder / "checkpoint").write_text(sign_checkpoint(checkpoint, KEY), "utf-8")
    for tile, hashes in day.log.tiles.items():
        width = len(hashes) // 32
        path = folder / f"tile/{tile.level}/{tile.number:03}{'' if width == 256 else f'.p/{width}'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashes)
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_log_that_was_fetched_is_the_one_that_was_frozen(
    certificate: Path, site: str, tmp_path: Path
) -> None:
    code, said, _ = run("fetch", site, tmp_path / "copy")
    assert (code, said) == (0, f"{tmp_path / 'copy'}: a log of 600 records\n")

    code, said, _ = run("verify", certificate, "--key", VKEY, "--log", tmp_path / "copy")

    assert code == 0
    assert "ok   list:" in said
    assert (tmp_path / "copy" / "tile" / "1" / "000.p" / "2").exists()


def test_with_the_log_of_a_day_comes_its_signed_list_of_offers_where_it_has_one(
    certificate: Path, day: Day, site: str, tmp_path: Path
) -> None:
    """As a lottery serves them: logs below /log/, and beside it what draws have."""
    folder, copy = tmp_path / "site", tmp_path / "copy"
    logs, draws = folder / "log", folder / "draws" / str(day.day)
    logs.mkdir()
    draws.mkdir(parents=True)
    (logs / str(day.day)).symlink_to(folder)
    address = f"{site}log/{day.day}/"
    known = ("verify", certificate, "--key", VKEY, "--log", copy)

    assert run("fetch", address, copy)[0] == 0
    assert not (copy / "offers.json").exists()
    assert "--   offers: not made" in run(*known)[1]

    (draws / "offers.json").write_text(format_signed_offers(day.offers()), "utf-8")
    assert run("fetch", address, copy)[0] == 0
    assert "ok   offers: " in run(*known)[1]


def test_a_copy_that_broke_off_goes_on_where_it_was(site: str, tmp_path: Path) -> None:
    run("fetch", site, tmp_path / "copy")
    first, second = (tmp_path / "copy" / "tile" / "entries" / name for name in ("000", "001"))
    first.write_bytes(b"kept")
    second.unlink()

    code, _, _ = run("fetch", site, tmp_path / "copy")

    assert code == 0
    assert first.read_bytes() == b"kept"
    assert second.exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("{site}nowhere/", "404"),
        ("file:///etc/", "is no address of a log"),
        ("http://127.0.0.1:9/", "refused"),
    ],
)
def test_what_cannot_be_fetched_is_told(site: str, tmp_path: Path, url: str, sentence: str) -> None:
    code, _, complained = run("fetch", url.format(site=site), tmp_path / "copy")

    assert code == 2
    assert sentence in complained


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "verify.pyz"
    path.write_bytes(zipapp_bytes())
    return path


def test_the_program_to_take_away_does_the_same(certificate: Path, program: Path) -> None:
    taken = run("verify", certificate, "--key", VKEY, program=[sys.executable, str(program)])

    assert taken == run("verify", certificate, "--key", VKEY)


def test_in_a_bare_interpreter_it_names_what_it_could_not_check(
    program: Path, tmp_path: Path
) -> None:
    """No library at all: the arithmetic is checked, the signatures are not; it does not hold."""
    certificate = tmp_path / "beacon.json"
    certificate.write_bytes(Day(mode="beacon").certificate())

    bare = [sys.executable, "-I", "-S", str(program)]
    code, said, _ = run("verify", certificate, program=bare)

    assert code == 1
    assert "--   checkpoint: not made: Ed25519 needs `pip install cryptography`" in said
    assert "--   beacon: not made: BLS12-381 needs `pip install py-arkworks-bls12381`" in said
    assert "ok   winners:" in said
    assert "FAIL" not in said


def test_the_program_has_the_same_bytes_whenever_and_wherever_it_is_made(program: Path) -> None:
    """What compresses differs from machine to machine, so nothing is compressed."""
    with ZipFile(program) as archive:
        entries = archive.infolist()

    assert {(each.date_time, each.compress_type, each.create_system) for each in entries} == {
        ((1980, 1, 1, 0, 0, 0), ZIP_STORED, 3)
    }
    assert [each.filename for each in entries[2:]] == [
        f"lottery_system/fairness/{path.name}"
        for path in sorted((ROOT / "lottery_system" / "fairness").glob("*.py"))
    ]
    assert zipapp_bytes() == program.read_bytes()


def test_letters_that_a_terminal_cannot_show_do_not_keep_the_verdict_from_it(
    day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "forged.json"
    path.write_bytes(day.certificate(lambda each: each.update(zoë=1)))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    code, said, _ = run("verify", path)

    assert code == 1
    assert r"FAIL format: the certificate has an unknown key 'zo\xeb'" in said


def test_a_certificate_with_a_name_of_other_letters_is_printed(day: Day, tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(day.certificate())
    assert "zoë" in json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)

    assert run("verify", path)[0] == 0
