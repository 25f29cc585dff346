"""The files of config/ha/: HAProxy and Patroni take them."""

import os
import re
import shutil
import subprocess

import pytest

from tests.stand_ins.processes import PATIENCE, ROOT

FILES = ROOT / "config" / "ha"
PATRONI = ROOT / ".venv" / "ha" / "patroni" / "bin" / "patroni"


def environ() -> dict[str, str]:
    """Return the environment that the example gives, with passwords."""
    text = (FILES / "database.env.example").read_text(encoding="utf-8")
    found = dict(re.findall(r"(?m)^(\w+)=(.*)$", text))
    passwords = {name: "secret" for name in found if name.endswith("_PASSWORD")}
    return {"PATH": os.environ["PATH"], **found, **passwords}


def test_haproxy_takes_its_configuration() -> None:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no HAProxy here; install Debian's package haproxy")
    hosts = {"APP1": "10.77.0.21:8080", "APP2": "10.77.0.22:8080"}

    done = run([program, "-c", "-f", str(FILES / "haproxy.cfg")], {**os.environ, **hosts})

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_patroni_takes_its_configuration_and_loses_nothing_by_it() -> None:
    if not PATRONI.exists():
        pytest.skip("no Patroni here; `make ha` installs it")

    done = run([str(PATRONI), "--validate-config", str(FILES / "patroni.yml")], environ())

    assert done.returncode == 0, done.stdout + done.stderr
    text = (FILES / "patroni.yml").read_text(encoding="utf-8")
    for line in (
        "synchronous_mode: on",
        "synchronous_mode_strict: true",
        'synchronous_commit: "on"',
    ):
        assert f" {line}\n" in text


def test_the_example_names_each_password_and_gives_none() -> None:
    text = (FILES / "database.env.example").read_text(encoding="utf-8")

    assert re.findall(r"(?m)^\w+_PASSWORD=(.*)$", text) == ["", "", ""]


def run(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environ
    )
