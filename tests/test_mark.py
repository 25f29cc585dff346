"""High-water mark: atomic writes, never lowered, shared by all processes of a host."""

import os
import random
import signal
import subprocess
import sys
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from lottery_system.mark import SLOT_BYTES, Head, Mark, MarkDamaged, joined
from lottery_system.mark_files import MarkFile, MarkFiles
from tests.stand_ins.processes import ROOT, wait_for

GENESIS = sha256(b"genesis").digest()
DAY = date(2026, 11, 19)
TOKEN = UUID(int=7)


def head(size: int, token: UUID | None = None) -> Head:
    return Head(size, sha256(str(size).encode()).digest(), token)


START = Mark(GENESIS, head(1))


def raise_day(marks: MarkFiles, size: int, day: date = DAY) -> None:
    marks.raise_to(lambda before: (before or START).raised(day, head(size, TOKEN)))


def test_what_is_written_is_read_by_another_process_and_only_its_owner_may(tmp_path: Path) -> None:
    assert MarkFiles([tmp_path / "mark"]).read() is None

    raise_day(MarkFiles([tmp_path / "mark"]), 12)

    assert MarkFiles([tmp_path / "mark"]).read() == Mark(GENESIS, head(1), {DAY: head(12, TOKEN)})
    assert (tmp_path / "mark").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]


def test_a_mark_is_only_raised(tmp_path: Path) -> None:
    marks = MarkFiles([tmp_path / "mark"])
    raise_day(marks, 12)
    raise_day(marks, 11)

    found = marks.read()
    assert found is not None
    assert found.days[DAY].size == 12
    assert found.closed(head(1), DAY) == found


def test_a_day_that_the_journal_covers_is_forgotten() -> None:
    next_day = DAY + timedelta(days=1)
    mark = START.raised(DAY, head(12)).raised(next_day, head(3))

    assert mark.closed(head(2), DAY) == Mark(GENESIS, head(2), {next_day: head(3)})


def test_there_is_room_for_many_days_and_the_latest_are_kept(tmp_path: Path) -> None:
    marks = MarkFiles([tmp_path / "mark"])
    days = [DAY + timedelta(days=number) for number in range(60)]
    for day in days:
        raise_day(marks, 10**17, day)

    found = MarkFiles([tmp_path / "mark"]).read()
    assert found is not None
    assert list(found.days) == days[-48:]


@pytest.mark.parametrize("slot", [0, 1])
def test_a_write_that_is_cut_off_leaves_the_mark_before_it(tmp_path: Path, slot: int) -> None:
    file, marks = tmp_path / "mark", MarkFiles([tmp_path / "mark"])
    for size in (11, 12, 13)[: 2 + slot]:
        raise_day(marks, size)
    newest, data = 11 + 1 + slot, file.read_bytes()
    place = next(
        at for at in (0, SLOT_BYTES) if f" {newest} ".encode() in data[at : at + SLOT_BYTES]
    )
    text_end = data.index(b"digest", place)

    for cut in (0, 1, 40, text_end - place, text_end - place + 30):
        file.write_bytes(data[: place + cut] + bytes(SLOT_BYTES - cut) + data[place + SLOT_BYTES :])
        found = MarkFiles([file]).read()
        assert found is not None
        assert found.days[DAY].size == newest - 1
    raise_day(MarkFiles([file]), 20)
    found = MarkFiles([file]).read()
    assert found is not None
    assert found.days[DAY].size == 20


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", b"\1" * 2 * SLOT_BYTES])
def test_a_damaged_mark_is_refused_and_never_taken_for_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "mark").write_bytes(data)

    with pytest.raises(MarkDamaged, match="holds no high-water mark that can be read"):
        MarkFiles([tmp_path / "mark"]).read()


def test_every_changed_character_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "mark"
    raise_day(MarkFiles([file]), 12)
    data = bytearray(file.read_bytes())
    place = data.index(b"daily-draw")
    end = data.index(b"\n", data.index(b"digest", place))
    for at in range(place, end):
        changed = bytearray(data)
        changed[at] ^= 1
        file.write_bytes(changed)
        with pytest.raises(MarkDamaged):
            MarkFiles([file]).read()


def test_a_second_place_knows_what_the_first_has_forgotten(tmp_path: Path) -> None:
    files = [tmp_path / "mark", tmp_path / "second"]
    raise_day(MarkFiles(files), 12)
    older = files[0].read_bytes()
    raise_day(MarkFiles(files), 13)
    files[0].write_bytes(older)

    found = MarkFiles(files).read()
    assert found is not None
    assert found.days[DAY].size == 13
    raise_day(MarkFiles(files), 14)  # which brings the first up to date
    assert MarkFile(files[0]).read() == MarkFile(files[1]).read()


def test_one_damaged_place_is_written_anew_from_the_other(tmp_path: Path) -> None:
    files = [tmp_path / "mark", tmp_path / "second"]
    raise_day(MarkFiles(files), 12)
    files[0].write_bytes(b"spoilt")

    marks = MarkFiles(files)
    found = marks.read()
    assert found is not None
    assert found.days[DAY].size == 12
    marks.raise_to(lambda before: (before or found).raised(DAY, head(13)))
    assert MarkFile(files[0]).read() == MarkFile(files[1]).read()


def test_what_two_places_know_is_joined_and_never_over_two_lotteries() -> None:
    next_day = DAY + timedelta(days=1)
    older = START.raised(DAY, head(12))
    newer = START.closed(head(2), DAY).raised(next_day, head(1))

    assert joined(older, newer) == joined(newer, older) == newer
    assert joined(older, older.raised(next_day, head(1))).days.keys() == {DAY, next_day}
    with pytest.raises(MarkDamaged, match="different lotteries"):
        joined(older, older._replace(genesis=bytes(32)))


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    file = tmp_path / "mark"
    marks = MarkFiles([file])
    raise_day(marks, 12)
    raise_day(MarkFiles([tmp_path / "other"]), 99)

    (tmp_path / "other").replace(file)

    found = marks.read()
    assert found is not None
    assert found.days[DAY].size == 99


WRITER = """
import sys
from datetime import date
from pathlib import Path
from lottery_system.mark import Head, Mark
from lottery_system.mark_files import MarkFiles
marks = MarkFiles([Path(sys.argv[1])])
start = Mark(bytes(32), Head(1, bytes(32)))
print("begun", flush=True)
for size in range(int(sys.argv[2]), 10**9, 4):
    head = Head(size, bytes(32))
    marks.raise_to(lambda before: (before or start).raised(date(2026, 11, 19), head))
"""


def test_processes_that_are_killed_while_they_write_leave_a_mark(tmp_path: Path) -> None:
    """Four write as fast as they can and are killed at any moment, again and again."""
    file, last = tmp_path / "mark", 0
    for _ in range(2):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(file), str(last + step)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
            for step in range(1, 5)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"begun\n"
        reader = MarkFiles([file])
        for writer in random.sample(writers, len(writers)):
            before = size_of(reader)
            wait_until_raised(reader, before)
            os.kill(writer.pid, signal.SIGKILL)
            writer.wait()
            assert size_of(MarkFiles([file])) >= before
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.close()
        last = size_of(MarkFiles([file]))


def wait_until_raised(marks: MarkFiles, before: int) -> None:
    wait_for(lambda: size_of(marks) > before, "it is raised", pause=0.001)


def size_of(marks: MarkFiles) -> int:
    found = marks.read()
    return found.days[DAY].size if found else 0


def test_the_disk_has_it_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    marks = MarkFiles([tmp_path / "mark"])
    raise_day(marks, 1)
    flushed.clear()

    raise_day(marks, 2)
    wait_for(lambda: flushed, "the mark is flushed", seconds=10)
