"""Names of any characters: what is shown holds no character that a terminal or a page obeys; data keep the names."""

import io
import json
from collections import OrderedDict
from contextlib import redirect_stderr
from html import unescape
from unicodedata import category
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
import torch
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from sklearn.datasets import load_digits
from torch import nn

from initsk import (
    ComparisonResult,
    MLPClassifier,
    audit,
    compare_initializers,
    inspect_activations,
    recommend_initializer as recommend,
)
from initsk.cli import main
from initsk.cli._output import show, table_text
from initsk.displays import figure_inline, figure_png, figure_svg
from initsk.exceptions import InvalidParameterError
from initsk.language import get_language
from initsk.text import brief, shortened, visible
from initsk.utils.markdown import escaped
from tests.displays.helpers import all_displays
from tests.fuzz.support import fuzz, on_examples
from tests.helpers import build

# Escape sequences of terminals, bidi controls, joiners, fillers, surrogates, line ends, and letters of Markdown,
# HTML, spreadsheets and formulas.
_HOSTILE = (
    "\x1b", "\x00", "\x07", "\x7f", "\x85", "\x9b", "\r", "\n", "\t", "\u200b", "\u200d", "\u202e", "\u2066", "\u2028",
    "\u2029", "\ufeff", "\ufe0f", "\u3164", "\u00ad", "\U000e0001", "\udc80", "\ud83d", "\x1b]0;title\x07", "\x1b[2J",
    "$", "$$", "_", "^", "{", "}", "\\", "<b>", "<!--", "-->", "&amp;", "&#27;", "|", "`", "*", "#", "- ",
    "1. ", "=1+1", "%s", "{0}", '"', "'", " ", "http://x", "]]>", "#1b1f24", ' x="1.23456"', "你", "😀", "א",
)  # fmt: skip
_LETTERS = st.one_of(st.sampled_from(_HOSTILE), st.characters(), st.sampled_from("abc019._-"))
NAMES = st.lists(_LETTERS, min_size=1, max_size=8).map("".join)
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def obeyed(text):
    """Return the characters of a shown text that something obeys; line feeds end its own lines."""
    return sorted({letter for letter in text if category(letter) in _OBEYED and letter != "\n"})


def is_whole(name):
    """Return whether a table can hold a name: it has no half of a surrogate pair."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def network_with(name):
    """Return a network whose first layer has a name, as far as torch allows it."""
    layers = {name.replace(".", "_"): (3, 4), "b": (4, 2)}
    return build(lambda: nn.Sequential(OrderedDict((key, nn.Linear(*sizes)) for key, sizes in layers.items())))


@pytest.fixture(scope="module")
def result():
    X, y = load_digits(return_X_y=True)
    estimator = MLPClassifier((6,), max_epochs=1)
    about = {"dataset": "DATASET", "command": "COMMAND"}
    return compare_initializers(
        estimator, X / 16, y, initializers=["zeros", "he_normal"], n_repeats=2, random_state=0, about=about
    )


def renamed(result, name):
    """Return a comparison in which an initializer, the layers, the data set and a failed run's reason have a name."""
    frames = {}
    for key, frame in result.frames.items():
        frame = frame.assign(initializer=frame["initializer"].cat.rename_categories({"zeros": name}))
        frames[key] = frame.assign(layer=name + frame["layer"]) if "layer" in frame else frame
    runs = frames["runs"]
    frames["runs"] = runs.assign(
        status=pd.Categorical(["failed", *["ok"] * (len(runs) - 1)], categories=["ok", "diverged", "failed"]),
        reason=[f"RuntimeError: {name}" * 300, *[""] * (len(runs) - 1)], score=[float("nan"), *runs["score"].iloc[1:]],
    )  # fmt: skip
    return ComparisonResult(frames, result.settings | {"dataset": name, "command": f"initsk {name}"})


@on_examples(80, 2000)
def test_visible_text_has_nothing_that_is_obeyed_and_plain_text_stays(examples):
    def law(name):
        shown = visible(name)
        assert not obeyed(shown)
        assert "\n" not in shown
        assert visible(shown) == shown
        if name.isascii() and name.isprintable():
            assert shown == name
        for text in (escaped(name), shortened(name, 12), brief(name), str(InvalidParameterError(name))):
            assert not obeyed(text.replace("\t", ""))
        assert len(shortened(name * 50, 12)) <= 12

    fuzz(law, NAMES, examples=examples)


@on_examples(60, 600)
def test_the_terminal_gets_escapes_in_any_encoding(examples):
    def law(name, encoding):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        show(name, stream)
        if is_whole(name):
            show(table_text(pd.DataFrame({"layer": [name], name: [1.5]})), stream)
        show(get_language("id")("{first} and {last}", first=name, last=[name, name]), stream)
        stream.flush()
        assert not obeyed(stream.buffer.getvalue().decode(encoding).replace("\t", ""))

    fuzz(law, NAMES, st.sampled_from(["utf-8", "ascii", "latin-1"]), examples=examples)


@on_examples(30, 300)
def test_an_argument_of_the_command_line_is_named_in_one_line(examples):
    def law(name, command):
        shown = io.StringIO()
        with redirect_stderr(shown), pytest.raises(SystemExit) as caught:
            main([*command, name])
        assert caught.value.code == 2
        assert shown.getvalue().count("\n") == 1
        assert not obeyed(shown.getvalue())

    commands = [["report"], ["audit", "--no-data"], ["compare", "--target", "a", "--dataset"], ["list", "--framework"]]
    # A process gets no NUL. A colon would import what stands before it.
    fuzz(law, NAMES.filter(lambda name: not {":", "\x00"} & set(name)), st.sampled_from(commands), examples=examples)


@on_examples(1, 50)
def test_reports_of_a_comparison_show_names_and_json_keeps_them(result, examples):
    def law(name):
        evil = renamed(result, name)
        page, markdown, data = evil._repr_html_(), evil.to_markdown(), evil.to_json()
        assert not obeyed(page + markdown + data + evil.answer() + repr(evil))
        assert visible(name) in unescape(unescape(page))
        [ranking] = [e for s in json.loads(data)["sections"] for e in s["elements"] if e.get("key") == "ranking"]
        assert name in [row["initializer"] for row in ranking["rows"]]
        assert len(page) < 40_000
        assert evil.runs["reason"].iloc[0] == f"RuntimeError: {name}" * 300

    fuzz(law, NAMES.filter(lambda name: is_whole(name) and name not in ("zeros", "he_normal")), examples=examples)


@pytest.mark.slow
@pytest.mark.parametrize("examples", [4])
def test_a_whole_page_of_a_comparison_with_its_pictures(result, examples, tmp_path):
    def law(name):
        page = renamed(result, name).to_html(tmp_path / "index.html", language="id")
        assert not obeyed(page.read_text("utf-8"))
        for path in (tmp_path / "index_files").glob("*.svg"):
            ET.fromstring(path.read_bytes())
            assert not obeyed(path.read_text("utf-8"))

    fuzz(law, NAMES.filter(lambda name: is_whole(name) and name not in ("zeros", "he_normal")), examples=examples)


@on_examples(2, 120)
def test_reports_of_a_network_show_the_names_of_its_layers(examples):
    def law(name):
        module = network_with(name)
        if not is_whole(name):
            for function in (recommend, audit, inspect_activations):
                with pytest.raises(InvalidParameterError, match="half of a surrogate pair"):
                    function(module, torch.eye(3))
            return
        for found in (recommend(module), audit(module, torch.eye(3)), inspect_activations(module, torch.eye(3))):
            data = found.to_json()
            assert not obeyed(found.to_markdown() + data + found._repr_html_() + str(found) + found.answer())
            json.loads(data)
        frame = inspect_activations(module, torch.eye(3)).to_frame()
        assert frame["layer"].iloc[0] == name.replace(".", "_")

    fuzz(law, NAMES.filter(lambda name: name.replace(".", "_") not in [*dir(nn.Sequential()), "b"]), examples=examples)


@on_examples(2, 100)
def test_pictures_show_names_as_they_are(examples):
    def law(name, kind):
        display = SHOWN[kind](name)
        figure = display.plot().figure_
        plt.close(figure)
        for svg in (figure_svg(figure, "x"), figure_inline(figure, "x")):
            assert not obeyed(svg)
            texts = ["".join(part.itertext()) for part in ET.fromstring(svg).iter() if part.tag.endswith("}text")]
            assert shortened(name, 30) in texts
        assert figure_png(figure).startswith(b"\x89PNG")

    SHOWN = {
        kind: lambda name, kind=kind: all_displays(name)[kind][0]
        for kind in ("HistogramGridDisplay", "DepthDisplay", "HistoryDisplay", "LayerStripDisplay")
    }
    # Blanks alone show nothing.
    names = NAMES.filter(lambda name: name.strip() and is_whole(name) and name != "b")
    fuzz(law, names, st.sampled_from(sorted(SHOWN)), examples=examples)
