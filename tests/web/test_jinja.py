"""Templates in several languages: each is compiled for each, and no two are mixed up."""

import pytest
from flask import Flask, render_template
from jinja2 import DictLoader

from lottery_system.web.jinja import EachLanguage

PART = """{% from "macro.html" import winners %}{{ _("Winners") }}, {{ winners() }}"""
MACRO = """{% macro winners() %}{{ language() }}: {{ _("Winners") }}{% endmacro %}"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_template_and_what_it_imports_speak_the_language_of_the_page(app: Flask) -> None:
    loader = DictLoader({"part.html": PART, "macro.html": MACRO})
    app.jinja_env.loader = EachLanguage(loader)
    said = []
    for code in ("en", "de", "en", "fr"):
        with app.test_request_context(f"/?lang={code}"):
            said.append(render_template("part.html"))

    assert said == [
        "Winners, en: Winners",
        "Gewinner, de: Gewinner",
        "Winners, en: Winners",
        "Gagnants, fr: Gagnants",
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_text_with_markup_in_it_is_not_escaped_and_a_value_is(app: Flask) -> None:
    loader = DictLoader({"part.html": """{{ _("a & b") }} {{ _("<b>%(x)s</b>", x="<i>") }}"""})
    app.jinja_env.loader = EachLanguage(loader)

    with app.test_request_context("/?lang=de"):
        assert render_template("part.html") == "a & b <b>&lt;i&gt;</b>"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_text_without_values_is_translated_when_its_template_is_compiled(app: Flask) -> None:
    loader = DictLoader(
        {"part.html": """{% set word = _("Winners") %}{{ word }}, {{ language() }}"""}
    )
    app.jinja_env.loader = EachLanguage(loader)

    with app.test_request_context("/?lang=de"):
        template = app.jinja_env.get_template("part.html")
        assert template.render(_=None, language=None) == "Gewinner, de"
