"""Tests of the catalogues and of number formats: every message is translated and keeps its values."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from initsk import language as _language
from initsk.exceptions import InvalidParameterError
from initsk.language import get_language, languages

PACKAGE = Path(__file__).parents[1] / "initsk"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"translate": None, "_": None, "message": None, "Reason": None, "plural": (1, 2), "plural_message": (1, 2)}
OTHERS = [code for code in languages() if code != "en"]


def messages_of_the_code():
    return {found[2] for found in extract_from_dir(str(PACKAGE), method_map=METHODS, keywords=KEYWORDS)}


def fields(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def catalogue(code):
    with (PACKAGE / "locale" / f"{code}.po").open("rb") as file:
        return [entry for entry in read_po(file, locale=code) if entry.id]


def test_no_message_is_in_an_f_string():
    # Before Python 3.12, babel does not find such messages.
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"\{(self\.)?(translate|message|_)\(", path.read_text()), path


@pytest.mark.parametrize("code", OTHERS)
def test_catalogue_has_every_message_and_no_other(code):
    entries = catalogue(code)
    assert {entry.id for entry in entries} == messages_of_the_code()
    for entry in entries:
        assert not entry.fuzzy, entry.id
        for text in [entry.string] if isinstance(entry.string, str) else entry.string:
            assert text, entry.id


@pytest.mark.parametrize("code", OTHERS)
def test_translations_have_the_same_values(code):
    for entry in catalogue(code):
        source = entry.id if isinstance(entry.id, str) else entry.id[1]
        for text in [entry.string] if isinstance(entry.string, str) else entry.string:
            assert fields(text) == fields(source), entry.id


def test_numbers():
    english, indonesian = get_language("en"), get_language("id")
    assert [translate.number(0.97804) for translate in (english, indonesian)] == ["0.9780", "0,9780"]
    assert [translate.short(1.5e-5) for translate in (english, indonesian)] == ["1.5e-05", "1,5e-05"]
    assert [translate.integer(60000) for translate in (english, indonesian)] == ["60,000", "60.000"]
    assert [translate.percent(0.125, 1) for translate in (english, indonesian)] == ["12.5%", "12,5%"]
    assert [translate.all_of(["a", "b", "c"]) for translate in (english, indonesian)] == ["a, b and c", "a, b dan c"]
    assert english.number(-0.00001) == "0.0000"
    assert english.number(float("nan")) == english.short(float("nan")) == english.integer(float("inf")) == "-"


def test_plurals():
    translate = get_language("en")
    assert translate.plural("{n} layer", "{n} layers", 1) == "1 layer"
    assert translate.plural("{n} layer", "{n} layers", 2000) == "2,000 layers"


def test_one_file_adds_a_language(tmp_path, monkeypatch):
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "de.po").write_text(header + 'msgid "epoch"\nmsgstr "Epoche"\n', encoding="utf-8")
    monkeypatch.setattr(_language, "_FOLDER", tmp_path)
    assert languages() == ["en", "de"]
    translate = get_language("de")
    assert (translate("epoch"), translate.number(0.5), translate("never")) == ("Epoche", "0,5000", "never")


def test_unknown_languages_are_refused():
    with pytest.raises(InvalidParameterError, match="unknown language 'in'"):
        get_language("in")
