"""Jinja environment: templates are compiled once a language, and share one dict of globals.

Both make pages faster; the figures are in docs/performance.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask.templating import Environment
from jinja2 import BaseLoader, Template, nodes
from jinja2.visitor import NodeTransformer

from lottery_system.web.languages import LANGUAGES, language
from lottery_system.web.texts import Texts, texts

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from flask.sansio.app import App
    from jinja2 import Environment as BaseEnvironment

    Globals = MutableMapping[str, Any]


class EachLanguage(BaseLoader):
    """Finds the one source that a template has in all languages."""

    def __init__(self, sources: BaseLoader) -> None:
        self._sources = sources

    def get_source(
        self, environment: BaseEnvironment, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return the source of a template that is named by its language first."""
        return self._sources.get_source(environment, template.partition("/")[2])


class PageEnvironment(Environment):
    """Compiles each template for each language, with the texts in it translated.

    Inside, a template is named by its language first: `de/lotteries/index.html`.
    """

    def __init__(self, app: App, **options: Any) -> None:
        super().__init__(app, **options)
        assert self.loader is not None
        self.loader = EachLanguage(self.loader)

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: Globals | None = None,  # noqa: A002 - Jinja's name
    ) -> Template:
        """Return a template in the language of the page."""
        if isinstance(name, str):
            name = f"{language()}/{name}"
        return super().get_template(name, parent, globals)

    def make_globals(self, d: Globals | None) -> Globals:
        """Return the globals of a template; unlike Jinja's own `ChainMap`, a plain dict.

        Jinja goes through all of them for each render and each imported template.
        """
        return super().make_globals(d) if d else self.globals

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        code = (name or "").partition("/")[0]
        return _Translation(code).visit(tree) if code in LANGUAGES else tree


class _Translation(NodeTransformer):
    """Replaces `_("…")` without values, and `language()`, by what they return."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._texts: Texts = texts(code)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - as Jinja calls it
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Name) or node.kwargs or node.dyn_args:
            return node
        match node.node.name, node.args:
            case (("_" | "gettext"), [nodes.Const(value=str(text))]):
                return nodes.Const(self._texts[text], lineno=node.lineno)
            case "language", []:
                return nodes.Const(self._code, lineno=node.lineno)
        return node
