"""Import layers, and access rules on every route."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from lottery_system import access
from tests.stand_ins.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lottery_system"

#: each floor may import those below it, and its own
FLOORS = (
    {"web", "cli", "scheduler", "translations"},
    {"commands"},
    {
        "access",
        "health",
        "readiness",
        "gauges",
        "ballot_box",
        "draws",
        "due_draws",
        "claims",
        "letters",
        "postman",
        "admission",
        "audit",
        "recovery",
        "moving",
        "log_export",
        "demo",
        "closing_check",
        "parts",
        "seen_log_ins",
        "site_cache",
        "throttles",
    },
    {"witnesses", "timestamps"},
    {"rollback"},
    {"extensions"},
    {"keys", "certificates"},
    {"queries", "addresses", "schema", "security_log", "csrf_tokens"},
    {"form_origin"},
    {"clock_check"},
    {"models", "drand", "witness_client", "timestamp_client"},
    {"passkeys", "one_time_codes", "sealing", "passwords", "pictures", "free_space", "ballot_rate"},
    {
        "usernames",
        "mail_addresses",
        "name_keys",
        "reserved_names",
        "smtp",
        "http_client",
        "browsers",
        "confusables",
        "text_input",
        "time_zones",
        "pause",
        "metrics",
        "version",
        "mark",
        "runtime",
        "download_turns",
        "mark_files",
        "evidence",
        "witness_policy",
        "timestamp_proof",
        "fairness",
        "errors",
        "clock",
        "clock_past",
    },
)


def modules() -> list[Path]:
    return [
        path for path in PACKAGE.rglob("*.py")
        if "migrations" not in path.relative_to(PACKAGE).parts and path != PACKAGE / "__init__.py"
    ]  # fmt: skip


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports(path: Path) -> set[str]:
    """Return the modules of the package that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith(("lottery_system", "config"))}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_room_imports_only_its_own_floor_and_those_below(path: Path) -> None:
    for name in imports(path):
        if name.startswith("lottery_system."):
            room = name.split(".")[1]
            assert floor_of(room) >= floor_of(room_of(path)), f"{room_of(path)} imports {name}"


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "web").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_page_imports_a_page_nor_does_what_pages_share(path: Path) -> None:
    pages = [name for name in imports(path) if name.startswith("lottery_system.web.pages")]

    registers_them = path in {PACKAGE / "web/__init__.py", PACKAGE / "web/pages/__init__.py"}
    assert bool(pages) == registers_them, pages


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_domain_knows_no_web(path: Path) -> None:
    if room_of(path) in {
        "models",
        "queries",
        "fairness",
        "admission",
        "draws",
        "claims",
        "certificates",
        "keys",
        "audit",
        "drand",
        "ballot_box",
        "runtime",
        "mark",
        "mark_files",
        "pause",
        "rollback",
        "clock",
        "errors",
        "schema",
    }:
        text = path.read_text(encoding="utf-8")
        for word in ("from flask import", "import flask\n", "url_for", "request."):
            assert word not in text


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_two_clients_call_outside(path: Path) -> None:
    """And what `verify.pyz fetch` downloads, which is no part of the server."""
    found = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in names_imported(node)
        if name != "urllib.parse"
    }

    callers = {"socket", "ssl", "http", "urllib", "urllib3", "requests", "smtplib", "asyncio"}
    is_caller = (
        room_of(path) in {"http_client", "smtp"} or path == PACKAGE / "fairness" / "download.py"
    )
    assert is_caller or not found & callers


def names_imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_the_client_of_the_beacon_knows_only_what_is_fair() -> None:
    assert all(
        name.startswith(
            (
                "lottery_system.fairness",
                "lottery_system.errors",
                "lottery_system.clock",
                "lottery_system.http_client",
            )
        )
        for name in imports(PACKAGE / "drand.py")
    )


@pytest.mark.parametrize(
    "module",
    [
        f"lottery_system.fairness.{path.stem}"
        for path in sorted((PACKAGE / "fairness").glob("*.py"))
        if path.stem != "__init__"
    ],
)
def test_fairness_can_be_had_in_a_bare_interpreter(module: str) -> None:
    """No site-packages at all: neither Flask nor SQLAlchemy could be imported."""
    script = f"import {module}, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    ours = {name for name in done.stdout.split() if name.startswith(("lottery_system.", "config"))}
    assert all(name.startswith("lottery_system.fairness") for name in ours)


def test_importing_the_package_does_no_work() -> None:
    """No file, no connection, no thread comes of an import."""
    script = (
        "import lottery_system.web, lottery_system.cli, lottery_system.scheduler, threading\n"
        "from lottery_system.extensions import scheduler\n"
        "assert threading.active_count() == 1 and not scheduler.running"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False
    )

    assert done.returncode == 0, done.stderr


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    for endpoint, view in app.view_functions.items():
        assert isinstance(getattr(view, "access", None), access.Access), endpoint


def test_an_application_with_a_route_that_declares_nothing_does_not_start() -> None:
    app = Flask(__name__)
    app.add_url_rule("/open-door", "open_door", lambda: "come in")

    with pytest.raises(RuntimeError, match="'open_door' does not declare who may call it"):
        access.guard(app)


def test_only_the_clock_reads_the_clock() -> None:
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if path.name != "clock.py":
            for reading in ("datetime.now", "datetime.utcnow", "time.time()", "date.today"):
                assert reading not in text, path
