"""Caches: each one in the code is in the table of docs/architecture.md, with its key."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lottery_system"

OF_FUNCTOOLS = {"cache", "lru_cache", "cached_property"}
#: what is made when it is first needed and is not remembered for its value: threads, and whose an
#: open file is
NO_CACHES = {
    "_loop", "_pool", "_flushing", "_pid", "_workers",
    # what a process has seen of its clocks, and of the line on the terminal
    "_wall", "_saved", "_relays_behind_since", "_stands",
    # of which journal a process has heard from witnesses
    "_timeline",
}  # fmt: skip


def caches() -> set[str]:
    """Find the caches in the code, each as `module.py name`."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {name for node in tree.body for name in _in(node, "")} | set(_empty(tree))
        found |= {f"{path.relative_to(PACKAGE).as_posix()} {name}" for name in names - NO_CACHES}
    return found


def _in(node: ast.AST, name: str) -> Iterator[str]:
    """Yield the names of caches in a node, which is within, or makes, what has a name."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        name = node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        name = _name(node.targets[0] if isinstance(node, ast.Assign) else node.target)
    if _is_cache(node):
        yield name
    if isinstance(node, ast.If):
        yield from _made_once(node)
    for child in ast.iter_child_nodes(node):
        yield from _in(child, name)


def _empty(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module that begin empty, to be filled."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            value = ast.unparse(node.value)
            if re.fullmatch(r"\{\}|\[\]|\w*([Dd]ict|list|set|Dictionary)\(\w*\)", value):
                yield _name(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def _is_cache(node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Subscript | ast.Name) and _name(base) == "dict"
                   for base in node.bases)  # fmt: skip
    return isinstance(node, ast.Name | ast.Attribute) and _name(node) in OF_FUNCTOOLS


def _name(node: ast.AST) -> str:
    node = node.value if isinstance(node, ast.Subscript) else node
    return str(getattr(node, "id", None) or getattr(node, "attr", ""))


def _made_once(node: ast.If) -> Iterator[str]:
    """Yield what is given a value where `self` has none of it."""
    asked = {each.attr for each in ast.walk(node.test) if isinstance(each, ast.Attribute)}
    for each in ast.walk(ast.Module(node.body, [])):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Attribute):
            target = each.targets[0]
            if target.attr in asked and _name(target.value) == "self":
                yield target.attr


def documented() -> set[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("| cache | key |")[2].partition("\n\n")[0]
    found = set()
    for row in table.splitlines()[2:]:
        module, *names = re.findall(r"`([^`]+)`", row.split("|")[1])
        found |= {f"{module} {name}" for name in names}
    return found


def test_every_cache_is_in_the_documentation_and_no_other() -> None:
    assert documented() == caches()


def test_caches_of_all_kinds_are_found() -> None:
    """Otherwise the test above would pass if no cache were found."""
    found = caches()

    assert {
        "web/pages/winners.py _drawn_day",  # decorated
        "web/fragments.py _cached",  # called
        "web/cookies.py _signer",  # a property
        "web/texts.py Texts",  # a dictionary
        "keys.py _keys",  # by hand
    } <= found
    assert not any(name in NO_CACHES for name in found)
