"""The browser's verifier as one HTML file to save and use offline."""

import json
import posixpath
import re
from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
PAGE = "verifier/saved.html"
START = "verifier/saved.js"

#: what a module asks another one for: `from "./bytes.js"`, at the end of an import or export
_FROM = re.compile(r'\bfrom "(?P<path>\.\.?/[^"]+)"')


def saved_verifier(static_folder: Path) -> str:
    """Return one HTML file that checks certificates by itself, without a server or a network.

    It consists of the very modules that the draw page loads. Each becomes an address of its own
    (`data:`) in an import map, and what they ask one another for by a relative path, which such an
    address has not, they ask for by the name in that map.
    """
    scripts = static_folder / "js"
    modules = {
        path.relative_to(scripts).as_posix(): path.read_text(encoding="utf-8")
        for folder in ("verifier", "vendor")
        for path in sorted((scripts / folder).glob("*.js"))
    }
    imports = {name: _address(_by_name(name, module)) for name, module in modules.items()}
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(PAGE).render(
        # base64 and paths have nothing in them that could end a script
        import_map=Markup(json.dumps({"imports": imports})),  # noqa: S704
        # nosemgrep: built-markup - a constant
        start=Markup(f"import {json.dumps(START)};"),  # noqa: S704
    )


def _by_name(name: str, module: str) -> str:
    """Return a module that asks for others by their names."""
    folder = posixpath.dirname(name)
    return _FROM.sub(
        lambda match: f'from "{posixpath.normpath(posixpath.join(folder, match["path"]))}"', module
    )


def _address(module: str) -> str:
    return "data:text/javascript;base64," + b64encode(module.encode()).decode("ascii")
