"""Evidence of witnesses: notes of this lottery's own key that its database contradicts.

Kept in files beside the database and never taken away by the lottery: whoever is asked why it
stopped can show them, and a restart cannot forget them. What cannot be written stays in memory and
is tried again, so that a full disk does not end a pause.

    storage/witness-evidence/<size>-<digest of the witness's key>          what the witness showed
    storage/witness-evidence/<size>-<digest of the witness's key>-<ours>   our checkpoint then
"""

import logging
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from config.files import write_whole
from lottery_system.fairness.note import (
    Checkpoint,
    CryptographyMissing,
    NoteError,
    VerifierKey,
    open_checkpoint,
)

log = logging.getLogger(__name__)

#: files at most, lest a witness fills the disk
MOST = 256
DIGEST_DIGITS = 16


class Proof(NamedTuple):
    """A head that the lottery's key signed, and where its note is."""

    file: Path
    head: Checkpoint
    #: whether it was this lottery's own checkpoint at the time, and not what a witness showed
    is_own: bool
    #: whether the file is there
    is_written: bool


class Evidence:
    """The folder of evidence.

    Args:
        storage: the lottery's folder.
    """

    def __init__(self, storage: Path) -> None:
        self.folder = storage / "witness-evidence"
        #: notes that could not be written yet
        self._unwritten: dict[Path, str] = {}

    def keep(self, witness: bytes, shown: str, ours: str, key: VerifierKey) -> None:
        """Keep a note that a witness showed, and our own at that time, unless they are kept.

        Args:
            witness: the digest of its key.
            shown: a note that the lottery's key signed.
            ours: the newest checkpoint.
        """
        size = open_checkpoint(shown, key).size
        file = self.folder / f"{size}-{witness.hex()[:DIGEST_DIGITS]}"
        other = self.folder / f"{file.name}-{sha256(ours.encode()).hexdigest()[:DIGEST_DIGITS]}"
        for path, text in ((file, shown), (other, ours)):
            if not path.exists() and len(self._unwritten) < MOST:
                self._unwritten.setdefault(path, text)
        reason = self._write()
        if reason is not None:
            log.error("witnesses: evidence could not be kept in %s: %s", file, reason)

    def proofs(self, key: VerifierKey) -> Iterator[Proof]:
        """Yield the heads that a key is known to have signed; those of other keys are left out."""
        self._write()
        try:
            files = sorted(self.folder.iterdir())
        except OSError:
            files = []
        for file in (*files, *self._unwritten):
            try:
                note = self._unwritten.get(file) or file.read_text(encoding="utf-8")
                head = open_checkpoint(note, key)
            except (OSError, UnicodeDecodeError, NoteError, CryptographyMissing):
                continue
            yield Proof(file, head, file.name.count("-") > 1, file not in self._unwritten)

    def _write(self) -> str | None:
        """Write what is not written yet, and return why it could not be."""
        try:
            for path, text in list(self._unwritten.items()):
                self.folder.mkdir(exist_ok=True)
                if len(list(self.folder.iterdir())) >= MOST:
                    return f"there are {MOST} files; move those away whose case is closed"
                write_whole(path, text.encode())
                del self._unwritten[path]
        except OSError as error:
            return error.strerror
        return None
