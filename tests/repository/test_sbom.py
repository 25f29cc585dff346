"""The software bill of materials: all that is locked, with hashes, and always the same bytes."""

import base64
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lottery_system.version import VERSION
from tests.stand_ins.processes import PATIENCE, ROOT

LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))


def written(**environ: str) -> bytes:
    return subprocess.run(
        [sys.executable, ROOT / "requirements" / "sbom.py"],
        cwd="/", env=environ, capture_output=True, timeout=PATIENCE, check=True,
    ).stdout  # fmt: skip


@cache
def sbom() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written())
    return found


def hashes_of(component: dict[str, Any]) -> list[tuple[str, str]]:
    [files] = component["externalReferences"]
    assert files["type"] == "distribution"
    return [(each["alg"], each["content"]) for each in files["hashes"]]


def test_every_locked_package_is_listed_with_its_version_and_all_its_hashes() -> None:
    """The lock file is cut at its packages here, and read line by line there."""
    locked = {
        f"pkg:pypi/{name}@{version}": [
            ("SHA-256", each) for each in re.findall(r"--hash=sha256:(\w+)", rest)
        ]
        for name, version, rest in re.findall(
            r"(?ms)^([a-z0-9][^\s=\[]*)(?:\[.*?\])?==(\S+)(.*?)(?=^[a-z0-9]|\Z)", LOCK
        )
    }  # fmt: skip
    listed = {each["purl"]: each for each in sbom()["components"] if "pkg:pypi/" in each["purl"]}

    assert len(locked) > 40
    assert sum(map(len, locked.values())) == LOCK.count("--hash=")
    assert {purl: hashes_of(each) for purl, each in listed.items()} == locked
    for purl, each in listed.items():
        assert purl == f"pkg:pypi/{each['name']}@{each['version']}"


def test_what_is_installed_for_the_lottery_is_listed() -> None:
    """As pip itself says, which knows nothing of the SBOM."""
    listed = {each["name"]: each["version"] for each in sbom()["components"]}
    of_pip = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True, timeout=PATIENCE, check=True,
    ).stdout  # fmt: skip
    installed = {
        re.sub(r"[-_.]+", "-", each["name"].lower()): each["version"] for each in json.loads(of_pip)
    }

    both = listed.keys() & installed.keys()
    assert len(both) > 40
    assert {name: installed[name] for name in both} == {name: listed[name] for name in both}


def test_what_browsers_are_sent_of_others_is_listed_and_what_builds_it_is_not() -> None:
    lock = json.loads((ROOT / "requirements/vendor/package-lock.json").read_text(encoding="utf-8"))
    listed = {each["name"]: each for each in sbom()["components"] if "pkg:npm/" in each["purl"]}

    assert listed.keys() == {"@noble/curves", "@noble/hashes"}
    for name, each in listed.items():
        package = lock["packages"][f"node_modules/{name}"]
        assert each["version"] == package["version"]
        [(_, digest)] = hashes_of(each)
        integrity = "sha512-" + base64.b64encode(bytes.fromhex(digest)).decode()
        assert integrity == package["integrity"]


def test_it_says_of_what_it_is_and_what_asks_for_what() -> None:
    root = sbom()["metadata"]["component"]
    needs = {each["ref"]: set(each["dependsOn"]) for each in sbom()["dependencies"]}
    asked_for = re.findall(r"(?m)^([a-z0-9-]+)", (ROOT / "requirements/app.in").read_text("utf-8"))

    assert (root["name"], root["version"]) == ("lottery-system", VERSION)
    assert sbom()["specVersion"] == "1.6"
    assert needs.keys() == {each["bom-ref"] for each in sbom()["components"]} | {root["bom-ref"]}
    names = {re.sub(r"^pkg:\w+/|@[^@]*$", "", each) for each in needs[root["bom-ref"]]}
    assert names == {*asked_for, "%40noble/curves", "%40noble/hashes"}
    reached: set[str] = set()
    next_ones = {root["bom-ref"]}
    while next_ones:
        reached |= next_ones
        next_ones = {each for one in next_ones for each in needs[one]} - reached
    assert reached == needs.keys()


def test_the_same_commit_gives_the_same_bytes() -> None:
    assert written(PYTHONHASHSEED="1", TZ="UTC") == written(PYTHONHASHSEED="2", TZ="Asia/Tokyo")


@pytest.mark.parametrize("line", ["flask @ file:///tmp/flask", "flask>=3", "--hash=md5:00"])
def test_a_line_that_is_not_understood_is_not_left_out(line: str, tmp_path: Path) -> None:
    script = "import sbom, sys; sbom.python_packages(sys.argv[1], 'root')"
    done = subprocess.run(
        [sys.executable, "-c", script, f"flask==3.1.3\n{line}\n"],
        env={"PYTHONPATH": str(ROOT / "requirements"), "PYTHONPYCACHEPREFIX": str(tmp_path)},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert f"This line of the lock file is not understood: {line}" in done.stderr


GH = """#!/bin/sh
echo "$*" >>asked
[ "$2" != view ] || exit "${HAS_NONE:-0}"
"""


@pytest.mark.parametrize(
    ("tag", "has_none", "asked"),
    [
        (f"v{VERSION}", "1", ["view", "create", "upload"]),
        (f"v{VERSION}", "0", ["view", "upload"]),
        ("v0.0.9", "1", []),
    ],
    ids=["the first time", "again", "a tag that names another version"],
)
def test_a_tag_publishes_it(tag: str, has_none: str, asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o700)
    (tmp_path / "sbom.cdx.json").write_bytes(written())
    [job] = WORKFLOW["jobs"].values()
    *_, made, attached = job["steps"]

    done = subprocess.run(
        ["bash", "-e", "-c", attached["run"]],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "GITHUB_REF_NAME": tag,
            "HAS_NONE": has_none,
        },
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip

    assert made == {"run": "make sbom"}
    lines = (tmp_path / "asked").read_text().splitlines() if asked else []
    assert [line.split()[1] for line in lines] == asked
    assert done.returncode == (0 if asked else 1)
    if asked:
        assert lines[-1] == f"release upload {tag} --clobber sbom.cdx.json"
    else:
        assert f"The tag is {tag}, and pyproject.toml says {VERSION}." in done.stderr


def test_only_the_job_that_publishes_may_write() -> None:
    [job] = WORKFLOW["jobs"].values()

    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert job["permissions"] == {"contents": "write"}
    # YAML 1.1 reads the key `on` as a truth value
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}
