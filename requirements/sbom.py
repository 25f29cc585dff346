"""Software bill of materials (SBOM): `make sbom` writes what is locked for the lottery.

As CycloneDX 1.6: the Python packages of requirements.txt, and the packages that static/js/vendor is
made of, each with its version, the hashes of its files, and what asks for it. The same commit gives
the same bytes, so there is neither a time nor a random number in it.
"""

import base64
import json
import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def python_packages(lock: str, root: str) -> dict[str, dict]:
    """Return the packages of a lock file that uv wrote, by their names, with `asked_by` added.

    Args:
        lock: its text; a package is a line, then come its hashes, and in comments what asks for it.
        root: what asks for those that a short list names.

    Raises:
        ValueError: a line is none of these, or a package has two versions.
    """
    packages: dict[str, dict] = {}
    for line in lock.splitlines():
        text = line.strip().removesuffix("\\").strip()
        if found := re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.!+]+)(?: ; (.+))?", text):
            name, version, marker = found.groups()
            if name in packages:
                raise ValueError(f"{name} has two versions in the lock file.")
            hashes: list[dict] = []
            asked_by: list[str] = []
            packages[name] = _component(f"pkg:pypi/{name}@{version}", name, version, hashes)
            packages[name]["asked_by"] = asked_by
            if marker:
                packages[name]["properties"] = [{"name": "lottery:marker", "value": marker}]
        elif found := re.fullmatch(r"--hash=sha256:([0-9a-f]{64})", text):
            hashes.append({"alg": "SHA-256", "content": found[1]})
        elif found := re.fullmatch(r"# +(?:via)? *(-r )?([\w.-]+)?", text):
            if found[2]:
                asked_by.append(root if found[1] else found[2])
        elif not re.match(r"# This file was|#    make lock", line):
            raise ValueError(f"This line of the lock file is not understood: {line}")
    return packages


def vendored_packages(lock: str, root: str) -> dict[str, dict]:
    """Return the packages of npm's lock file that are served, by their names, as above."""
    given = json.loads(lock)["packages"]
    packages: dict[str, dict] = {}
    for path, package in given.items():
        if not path or package.get("dev"):
            continue
        name, version = path.removeprefix("node_modules/"), package["version"]
        digest = base64.b64decode(package["integrity"].removeprefix("sha512-"), validate=True)
        purl = f"pkg:npm/{quote(name)}@{version}"
        hashes = [{"alg": "SHA-512", "content": digest.hex()}]
        packages[name] = _component(purl, name, version, hashes)
        packages[name]["asked_by"] = [
            other.removeprefix("node_modules/") or root
            for other, each in given.items()
            if name in each.get("dependencies", {})
        ]
    return packages


def _component(purl: str, name: str, version: str, hashes: list[dict]) -> dict:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        # of each file in which the package is distributed, one of which is installed
        "externalReferences": [{"type": "distribution", "url": purl, "hashes": hashes}],
    }


def sbom() -> dict:
    """Return the SBOM of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    vendored = ROOT / "requirements" / "vendor" / "package-lock.json"
    packages = {
        **python_packages((ROOT / "requirements.txt").read_text(encoding="utf-8"), name),
        **vendored_packages(vendored.read_text(encoding="utf-8"), name),
    }
    needs: dict[str, list[str]] = {each["bom-ref"]: [] for each in packages.values()}
    references = {package: each["bom-ref"] for package, each in packages.items()}
    references[name] = f"{name}@{version}"
    needs[references[name]] = []
    for each in packages.values():
        for asker in each.pop("asked_by"):
            needs[references[asker]].append(each["bom-ref"])
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": references[name],
                "name": name,
                "version": version,
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": sorted(packages.values(), key=lambda each: each["bom-ref"]),
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(asked)}
            for reference, asked in sorted(needs.items())
        ],
    }


if __name__ == "__main__":
    json.dump(sbom(), sys.stdout, indent=1)
    sys.stdout.write("\n")
