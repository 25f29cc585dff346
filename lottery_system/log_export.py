"""Export of the public logs: tiles, checkpoints and certificates as files, for any web server.

Each file lies at the path of its address and has its bytes. What changes no more is written once;
a file is complete or not there; and what completes a log is written last, so that an export that
was interrupted goes on where it stopped.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import Connection

from config.files import write_whole
from lottery_system.certificates import (
    NoOffers,
    NotDrawn,
    certificate_of,
    key_of,
    newest_checkpoint,
    signed_offers_of,
    timestamp_file,
)
from lottery_system.errors import LotteryError
from lottery_system.fairness.note import NoteError, note_text, open_checkpoint, parse_checkpoint
from lottery_system.fairness.recovery import Recovery
from lottery_system.fairness.tiles import (
    TILE_WIDTH,
    ReadTiles,
    addresses,
    format_path,
)
from lottery_system.models import LogKeys
from lottery_system.queries.cosignatures import cosigned_checkpoint
from lottery_system.queries.logs import (
    ReadRecords,
    StoredRecord,
    ballot_records,
    ballot_tiles,
    closed_days,
    freeze_of,
    journal_record,
    journal_records,
    journal_tiles,
    last_record,
    log_size,
    tile_data,
)
from lottery_system.queries.recoveries import recoveries, statement_of
from lottery_system.queries.timestamps import all_stamped

CHECKPOINT = "checkpoint"
#: whatever the umask is: all of it is public, and a web server is another user
FILE_MODE, FOLDER_MODE = 0o644, 0o755


class CannotExport(LotteryError):
    """The folder is another lottery's, a newer one's, or in use; nothing was written to it."""


class Exporter:
    """Writes the public logs of one lottery below a folder.

    Args:
        connection: a snapshot of the database, which matches the high-water mark.
        folder: the root of the addresses; made if it is missing.
        log_keys: of the lottery.
    """

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        log_keys: LogKeys,
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._log_keys = log_keys
        self.written_count = 0

    def export(self, last: StoredRecord) -> None:
        """Write what is missing: closed days, then the journals, the present one last.

        Args:
            last: the newest record of the journal.

        Raises:
            CannotExport: with a sentence that says why.
            Unsound: a certificate fails its own checks.
        """
        with self._alone():
            self._demand_ours(last)
            self._follow_recoveries(last.timeline)
            for day in self._days():
                self._export_day(day)
            self._export_timestamps()
            self._export_journals(last)

    def _days(self) -> list[date]:
        """List the days to be exported: closed, and not lost."""
        return [
            day
            for day in closed_days(self._connection)
            if freeze_of(self._connection, day) is not None
        ]

    def _export_day(self, day: date) -> None:
        folder = self._folder / "log" / str(day)
        certificate = self._folder / "draws" / str(day) / "certificate.json"
        has_checkpoint = (folder / CHECKPOINT).exists()
        if has_checkpoint and certificate.exists():
            return
        if not has_checkpoint:
            self._write_tiles(
                folder,
                log_size(self._connection, day),
                ballot_tiles(self._connection, day),
                lambda first, count: ballot_records(
                    self._connection, day, first + 1, first + count
                ),
            )
            signed = newest_checkpoint(self._connection, day, self._log_keys)
            if signed is None:  # from before there were logs
                return
            self._write(folder / CHECKPOINT, signed.encode())
        try:
            offers = signed_offers_of(self._connection, day, self._log_keys)
            self._write(certificate.with_name("offers.json"), offers.encode())
        except NoOffers:  # closed before they were signed
            pass
        try:
            text = certificate_of(self._connection, day, self._log_keys)
        except NotDrawn:  # it waits for the beacon
            return
        self._write(certificate, text.encode())

    def _export_timestamps(self) -> None:
        """Write what calendars have stamped, and again what has become more complete."""
        for stamped in all_stamped(self._connection):
            file = self._folder / "draws" / str(stamped.day) / "checkpoint.ots"
            proofs = timestamp_file(stamped)
            if not file.exists():
                self._write(file.with_name(CHECKPOINT), stamped.checkpoint.encode())
            elif file.read_bytes() == proofs:
                continue
            self._write(file, proofs)

    def _follow_recoveries(self, present: int) -> None:
        """Clear away what a recovery has replaced since the last export, then write its statement.

        That is the journal that it ended, and the heads of days, which the new key signs from then
        on. The head of a day that was lost stays: it is never signed again.
        """
        root = self._folder / "log"
        for timeline in range(1, present + 1):
            statement = root / "recovery" / str(timeline)
            if statement.exists():
                continue
            shutil.rmtree(root / "tile", ignore_errors=True)
            (root / CHECKPOINT).unlink(missing_ok=True)
            for day in self._days():
                (root / str(day) / CHECKPOINT).unlink(missing_ok=True)
            text = statement_of(self._connection, timeline)
            assert text is not None
            self._write(statement, text.encode())

    def _export_journals(self, last: StoredRecord) -> None:
        root = self._folder / "log"
        for timeline in range(last.timeline):
            ended = root / "ended" / str(timeline)
            end = last_record(self._connection, timeline)
            if end is not None and not (ended / CHECKPOINT).exists():
                self._export_journal(ended, end, cosigned_checkpoint(self._connection, end))
        self._export_journal(root, last, cosigned_checkpoint(self._connection, last))

    def _export_journal(self, folder: Path, last: StoredRecord, checkpoint: str) -> None:
        timeline = last.timeline
        self._write_tiles(
            folder,
            last.number + 1,
            journal_tiles(self._connection, timeline),
            lambda first, count: journal_records(self._connection, first, count, timeline),
        )
        self._write(folder / CHECKPOINT, checkpoint.encode())

    def _write_tiles(
        self, folder: Path, size: int, read: ReadTiles, read_records: ReadRecords
    ) -> None:
        """Write the tiles and bundles of a log that are missing, before its checkpoint."""
        for path in addresses(size):
            file = folder / "tile" / format_path(path)
            if not file.exists():
                self._write(file, tile_data(path, read, read_records))
            if path.width == TILE_WIDTH:  # its beginnings are needed no more (C2SP tlog-tiles)
                shutil.rmtree(file.with_name(f"{file.name}.p"), ignore_errors=True)

    def _demand_ours(self, last: StoredRecord) -> None:
        """Demand that the journal of the folder, if there is one, is how ours begins.

        Raises:
            CannotExport: it is not.
        """
        file = self._folder / "log" / CHECKPOINT
        try:
            note = file.read_text(encoding="utf-8")
            text = note_text(note)  # whose cosignatures may be fewer than there are now
            size = parse_checkpoint(text).size
        except FileNotFoundError:
            return
        except (NoteError, UnicodeDecodeError):
            raise CannotExport(f"{file} is not the checkpoint of a lottery.") from None
        for timeline in range(last.timeline + 1):
            stored = journal_record(self._connection, size - 1, timeline)
            if stored is not None and note_text(stored.checkpoint) == text:
                return
        if any(self._is_lost(note, size, *each) for each in recoveries(self._connection)):
            return
        raise CannotExport(
            f"{self._folder} has the journal of another lottery, or a longer one than this "
            "database; export to another folder, or see docs/operating.md, Restoring."
        )

    def _is_lost(self, note: str, size: int, timeline: int, statement: Recovery) -> bool:
        """Return whether a checkpoint was signed, and its records lost with the journal's end."""
        try:
            open_checkpoint(note, key_of(self._connection, timeline - 1, self._log_keys))
        except NoteError:
            return False
        return size <= statement.signed

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock on the folder.

        Raises:
            CannotExport: another export runs.
        """
        _make_folder(self._folder)
        with (self._folder / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotExport(f"Another export to {self._folder} runs.") from None
            yield

    def _write(self, file: Path, data: bytes) -> None:
        _make_folder(file.parent)
        write_whole(file, data, FILE_MODE)
        self.written_count += 1


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(FOLDER_MODE)
