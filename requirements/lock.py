"""Lock files: `make lock` writes them from the short lists."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCKS = {
    "app.in": "../requirements.txt",
    "dev.in": "dev.txt",
    "fuzz.in": "fuzz.txt",
    "lint.in": "lint.txt",
    "foreign.in": "foreign.txt",
    "ha.in": "ha.txt",
}
#: what needs a newer Python than ours, in an environment of its own
NEWER = {"foreign.in": "3.12"}

for source, target in LOCKS.items():
    subprocess.run(
        [
            sys.executable, "-m", "uv", "pip", "compile", source, "--output-file", target,
            # one lock for every Python from the oldest on and every system
            "--universal", "--python-version", NEWER.get(source, "3.11"),
            "--generate-hashes", "--quiet",
            "--no-emit-index-url", "--custom-compile-command", "make lock", *sys.argv[1:],
        ],
        cwd=HERE,
        check=True,
    )  # fmt: skip
