"""The verifier as one file: a Python program to download and run anywhere."""

import io
import zipfile
from pathlib import Path

PACKAGE = "lottery_system/fairness"
_MAIN = "import sys\nfrom lottery_system.fairness.__main__ import main\nsys.exit(main())\n"
#: the same bytes whenever and wherever it is made: no file's time or system is its own, and nothing
#: is compressed, since versions of zlib differ in what comes out
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o100644 << 16


def zipapp_bytes() -> bytes:
    """Return this package as a zipapp (docs.python.org, zipapp), the same bytes for the same code.

    `python3 verify.pyz verify CERTIFICATE.json` then does what
    `python -m lottery_system.fairness verify CERTIFICATE.json` does.
    """
    folder = Path(__file__).parent
    files = {"__main__.py": _MAIN, "lottery_system/__init__.py": ""}
    for path in sorted(folder.glob("*.py")):
        files[f"{PACKAGE}/{path.name}"] = path.read_text(encoding="utf-8")
    packed = io.BytesIO()
    packed.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _READABLE
            archive.writestr(entry, text)
    return packed.getvalue()
