"""Evidence of witnesses: notes of this lottery's own key that its database contradicts.

Kept in files beside the database and never taken away by the lottery: whoever is asked why it
stopped can show them, and a restart cannot forget them.

    storage/witness-evidence/<size>-<digest of the witness's key>          what the witness showed
    storage/witness-evidence/<size>-<digest of the witness's key>-<ours>   our checkpoint then
"""

import logging
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

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


class Evidence:
    """The folder of evidence.

    Args:
        storage: the lottery's folder.
    """

    def __init__(self, storage: Path) -> None:
        self.folder = storage / "witness-evidence"

    def keep(self, witness: bytes, shown: str, ours: str, key: VerifierKey) -> Path | None:
        """Keep a note that a witness showed, and our own at that time, unless they are kept.

        Args:
            witness: the digest of its key.
            shown: a note that the lottery's key signed.
            ours: the newest checkpoint.

        Returns:
            The file; None if it could not be written, which the log tells.
        """
        size = open_checkpoint(shown, key).size
        file = self.folder / f"{size}-{witness.hex()[:DIGEST_DIGITS]}"
        other = self.folder / f"{file.name}-{sha256(ours.encode()).hexdigest()[:DIGEST_DIGITS]}"
        try:
            self.folder.mkdir(exist_ok=True)
            if len(list(self.folder.iterdir())) >= MOST and not file.exists():
                return None
            for path, text in ((file, shown), (other, ours)):
                if not path.exists():
                    draft = path.with_name(f".{path.name}.draft")
                    draft.write_text(text, encoding="utf-8")
                    draft.replace(path)
        except OSError as error:
            log.error("witnesses: evidence could not be kept in %s: %s", file, error.strerror)
            return None
        return file

    def heads(self, key: VerifierKey) -> Iterator[tuple[Path, Checkpoint]]:
        """Yield the heads that a key is known to have signed; those of other keys are left out."""
        try:
            files = sorted(self.folder.iterdir())
        except OSError:
            return
        for file in files:
            try:
                yield file, open_checkpoint(file.read_text(encoding="utf-8"), key)
            except (OSError, UnicodeDecodeError, NoteError, CryptographyMissing):
                continue
