"""Pinning images: every image of the compose file gets the digest that the registry tells."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.stand_ins.processes import PATIENCE, ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
#: as the compose file gives them: each setting with its image
IMAGES = dict(re.findall(r"\$\{(\w+_IMAGE):-([^}]+)\}", COMPOSE))
#: A registry's answer, which is of 64 digits, differs with the image, and is kept in `asked`.
DIGEST = """
digest() {
    echo "$1" >>asked
    [ "$1" != "${UNKNOWN-}" ] || { echo "not found" >&2; exit 1; }
    printf sha256: && printf %s "$1${NEWER-}" | sha256sum | cut -c1-64
}
"""
DOCKER = f"""#!/bin/sh
{DIGEST}
[ "$1 $2 $3 $4 $5" = "buildx imagetools inspect --format {{{{.Manifest.Digest}}}}" ] || exit 2
digest "$6"
"""
SKOPEO = f"""#!/bin/sh
{DIGEST}
[ "$1 $2 $3 $4" = "inspect --no-tags --format {{{{.Digest}}}}" ] || exit 2
digest "${{5#docker://}}"
"""
PROGRAMS = ("awk", "cat", "cp", "cut", "dirname", "grep", "mktemp", "mv", "rm", "sed", "sh",
            "sha256sum", "sort", "tail")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a stand-in of docker, and nothing on PATH that asks a real registry."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).symlink_to(shutil.which(name) or name)
    install(tmp_path, "docker", DOCKER)
    return tmp_path


def install(folder: Path, name: str, program: str) -> None:
    (folder / "bin" / name).write_text(program)
    (folder / "bin" / name).chmod(0o700)


def pin(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [ROOT / "config" / "pin-images.sh"],
        cwd=folder, env={"PATH": str(folder / "bin"), **environ},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith("#")]
    assert len(pairs) == len({name for name, _ in pairs}), "a setting stands there twice"
    return dict(pairs)


def test_every_service_has_an_image_that_can_be_pinned() -> None:
    assert len(re.findall(r"^ +image: ", COMPOSE, re.MULTILINE)) == len(
        re.findall(r"^ +image: \$\{\w+_IMAGE:-", COMPOSE, re.MULTILINE)
    )
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall("(?m)^FROM (.*)", dockerfile) == ["${PYTHON_IMAGE}"]
    assert f"ARG PYTHON_IMAGE={IMAGES['PYTHON_IMAGE']}\n" in dockerfile
    example = (ROOT / "config" / "deploy.env.example").read_text(encoding="utf-8")
    assert dict(re.findall(r"(?m)^(\w+_IMAGE)=(.+)", example)) == IMAGES


@pytest.mark.parametrize("program", ["docker", "skopeo"])
def test_all_images_are_pinned_and_the_other_settings_stay(folder: Path, program: str) -> None:
    if program == "skopeo":
        (folder / "bin" / "docker").unlink()
        install(folder, "skopeo", SKOPEO)
    (folder / ".env").write_text("# ours\nPOSTGRES_PASSWORD=a=b c\nPOSTGRES_IMAGE=postgres:16\n")
    (folder / ".env").chmod(0o600)

    done = pin(folder)

    assert done.returncode == 0, done.stderr
    given = settings(folder)
    assert given.pop("POSTGRES_PASSWORD") == "a=b c"
    assert (folder / ".env").read_text().startswith("# ours\n")
    images = {name: image.partition("@") for name, image in given.items()}
    assert {name: image for name, (image, _, _) in images.items()} == {
        **IMAGES, "POSTGRES_IMAGE": "postgres:16",
    }  # fmt: skip
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for *_, digest in images.values())
    assert len({digest for *_, digest in images.values()}) == len(IMAGES)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    assert sorted(os.listdir(folder)) == [".env", "asked", "bin"]


def test_run_again_it_takes_what_the_tags_are_now(folder: Path) -> None:
    assert pin(folder).returncode == 0
    before = settings(folder)

    assert pin(folder, NEWER="yes").returncode == 0

    after = settings(folder)
    assert before.keys() == after.keys() == IMAGES.keys()
    for name, image in IMAGES.items():
        assert before[name].startswith(f"{image}@")
        assert after[name].startswith(f"{image}@")
        assert before[name] != after[name]
    asked = (folder / "asked").read_text().split()
    assert sorted(asked) == sorted(2 * list(IMAGES.values()))


def test_without_an_answer_to_each_nothing_is_written(folder: Path) -> None:
    (folder / ".env").write_text("LOTTERY_NAME=x\n")

    done = pin(folder, UNKNOWN=IMAGES["PYTHON_IMAGE"])

    assert done.returncode == 1
    assert f"no digest of {IMAGES['PYTHON_IMAGE']}; .env is as it was" in done.stderr
    assert (folder / ".env").read_text() == "LOTTERY_NAME=x\n"
    assert sorted(os.listdir(folder)) == [".env", "asked", "bin"]


def test_what_is_no_digest_is_not_written(folder: Path) -> None:
    install(folder, "docker", "#!/bin/sh\necho '<no value>'\n")

    done = pin(folder)

    assert done.returncode == 1
    assert "'<no value>' is no digest of" in done.stderr
    assert not (folder / ".env").exists()


def test_without_a_program_that_asks_it_says_which_to_install(folder: Path) -> None:
    (folder / "bin" / "docker").unlink()

    done = pin(folder)

    assert done.returncode == 1
    assert done.stderr == "pin-images: install Docker with buildx, or skopeo\n"
