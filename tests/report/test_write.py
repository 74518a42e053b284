"""Reports as pages, as files and in notebooks."""

import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from initsk import ComparisonResult, MLPClassifier, audit, compare_initializers, diagnose, inspect_activations
from initsk.exceptions import InvalidParameterError
from initsk.report import describe_ranking
from tests.helpers import build, params
from tests.report.helpers import ORDER, PICTURES

EVIL = "<script>alert(1)</script>|`$x$"


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    result.to_html(folder / "index.html")
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text()


def test_page_is_self_contained(page):
    outside = re.sub(r'xlink:href="#|xmlns(?::xlink)?="[^"]*"', "", page)
    assert not re.search(r"(?:src|href)=|@import|url\((?!#)|https?:", outside)


def test_page_has_all_sections_in_order(page):
    assert re.findall(r'<section id="([^"]+)"', page) == ORDER
    # Two initializers: three moments of the activations, two of the weights; differences, curves and the signal.
    assert page.count("<svg") == 2 * 3 + 2 * 2 + 3
    assert "W ~ N(0, 2 / fan_in)" in page
    assert "He et al. 2015, equation 10" in page


def test_ids_are_unique(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_equal_results_give_equal_bytes(result, page, tmp_path):
    again = ComparisonResult.load(result.save(tmp_path))
    assert again.to_html() == page
    assert again.to_json() == result.to_json()
    assert again.to_markdown(language="id") == result.to_markdown(language="id")


def test_every_picture_is_written_as_png_and_svg(folder):
    names = {f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg")}
    assert {path.name for path in (folder / "index_files").iterdir()} == names
    for name in names:
        begins = b"\x89PNG" if name.endswith("png") else b"<?xml"
        assert (folder / "index_files" / name).read_bytes().startswith(begins)


@pytest.mark.slow
def test_equal_results_give_equal_pdf_files(result, tmp_path):
    written = [result.to_pictures(tmp_path / name, format=["pdf"]) for name in "ab"]
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_pictures_have_the_wanted_formats(result, tmp_path):
    pictures = result.to_pictures(tmp_path / "a", format="pdf")
    assert {path.name for path in pictures} == {f"{name}.pdf" for name in PICTURES}
    for picture in pictures:
        content = picture.read_bytes()
        # Embedded TrueType fonts, not Type 3, and no date.
        assert b"/Type0" in content
        assert b"/Type3" not in content
        assert b"CreationDate" not in content
    with pytest.raises(InvalidParameterError, match=r"unknown format 'jpg'.*'pdf', 'png', 'svg'"):
        result.to_pictures(tmp_path / "c", format="jpg")
    assert not (tmp_path / "c").exists()


def test_print_shows_the_answer_and_a_short_ranking(result):
    shown = str(result)
    lines = shown.splitlines()
    assert " ".join(lines[: lines.index("")]) == describe_ranking(result.summary())
    assert all(len(line) <= 100 for line in lines)
    best, other = result.summary().to_dict("records")
    assert f"{best['low']:.4f} to {best['high']:.4f}" in lines[-2]
    assert lines[-2].split()[:2] == ["1", best["initializer"]]
    assert lines[-1].split()[:2] == ["2", other["initializer"]]
    assert f"{other['mean_score']:.4f}" in lines[-1]
    assert lines[-1].endswith(other["conclusion"])


def test_print_shows_the_findings_of_an_inspection():
    X = np.random.default_rng(0).normal(size=(50, 8))
    summary = inspect_activations(
        MLPClassifier((16,) * 3, initializer="zeros", random_state=0).fit(X, np.arange(50) % 2), X
    )
    shown = str(summary)
    assert shown.startswith(summary.answer().split(".")[0])
    assert set(summary.findings()["kind"]) == {kind for kind in set(summary.findings()["kind"]) if kind in shown}
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_notebooks_show_answer_and_ranking_in_a_frame(result):
    html = result._repr_html_()
    assert html.startswith("<iframe ")
    assert "</iframe>" in html
    assert describe_ranking(result.summary()) in html
    assert html.count("&lt;section") == 2
    assert result.to_html(fragment=True).count("&lt;section") == len(ORDER)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"language": "xx"}, "unknown language 'xx'.*'en', 'id'"),
        ({"axes": "log"}, "unknown axes 'log'"),
        ({"path": "."}, "is a folder"),
        ({"axis": "shared"}, "the report of ComparisonResult has no option 'axis' .allowed: axes."),
    ],
)
def test_wrong_arguments_are_refused(result, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        result.to_html(**arguments)


def test_an_interrupted_write_keeps_the_old_file(result, tmp_path, monkeypatch):
    path = result.to_json(tmp_path / "report.json")
    before = path.read_bytes()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        result.to_json(path, language="id")
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


@pytest.fixture(scope="module")
def evil():
    def draw(tensor):
        return tensor.fill_(0.1)

    draw.__name__ = EVIL

    def formula(tensor):
        return tensor.fill_(0.2)

    formula.__name__ = "=HYPERLINK(1)"
    X, y = load_digits(return_X_y=True)
    return compare_initializers(
        MLPClassifier((4,), max_epochs=1), X / 16, y, initializers=[draw, formula], n_repeats=2,
        about={"dataset": EVIL, "command": EVIL},
    )  # fmt: skip


def test_names_of_initializers_are_escaped(evil, tmp_path):
    page = evil.to_html(tmp_path / "index.html").read_text()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    # In a frame, escaped twice.
    assert "<script>" not in evil._repr_html_()
    # Indented lines are code, where Markdown knows no tags.
    markdown = evil.to_markdown()
    assert "<script>" not in "".join(line for line in markdown.splitlines() if not line.startswith("    "))
    assert "\\<script\\>alert(1)\\</script\\>\\|\\`\\$x\\$" in markdown
    for path in (tmp_path / "index_files").glob("*.svg"):
        assert "<script>" not in path.read_text()
    assert "&lt;script&gt;alert(1)" in (tmp_path / "index_files" / "differences.svg").read_text()


def test_names_of_layers_are_escaped(tmp_path):
    module = build(lambda: torch.nn.Sequential(OrderedDict({EVIL: torch.nn.Linear(3, 2), "$b$": torch.nn.ReLU()})))
    summary = inspect_activations(module, torch.eye(3), weights=True)
    page = summary.to_html(tmp_path / "index.html").read_text()
    assert "<script>alert(1)" not in page + summary.to_markdown()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in (tmp_path / "index_files" / "activations_histograms.svg").read_text()


def test_names_are_no_formulas_in_csv_and_load_unchanged(evil, tmp_path):
    for path in evil.to_csv(tmp_path):
        assert not re.search(r'(?:^|,|")[=+@]', path.read_text(), re.MULTILINE)
    again = ComparisonResult.load(evil.save(tmp_path))
    assert again.initializers == [EVIL, "=HYPERLINK(1)"]
    assert again.runs.equals(evil.runs)


def test_concatenated_results_answer_for_each_experiment(result):
    both = ComparisonResult.concat({"a": result, "b\x1b": result})
    assert both.answer() == f"a: {result.answer()}\nb\\x1b: {result.answer()}"
    assert both._repr_html_().count("<iframe") == 2


def test_long_reasons_are_shown_in_part_and_kept_in_the_frame(result):
    reason = "RuntimeError: \x1b[2J" + "x" * 10**6
    runs = result.runs.assign(status=["failed", "ok", "ok", "ok"], reason=[reason, "", "", ""])
    failed = ComparisonResult(result.frames | {"runs": runs}, result.settings)
    for shown in (failed.to_markdown(), failed._repr_html_(), failed.to_json()):
        assert len(shown) < 10**5
        assert "\x1b" not in shown
    assert failed.runs["reason"].iloc[0] == reason


@pytest.mark.parametrize("value", params([float("nan"), float("inf"), 1e30], slow=[float("inf"), 1e30]))
def test_pages_of_extreme_networks_need_no_setting_of_numpy(value):
    module = build(lambda: torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)))
    torch.nn.init.constant_(module[0].weight, value)
    X, y = torch.eye(4).repeat(8, 1), torch.arange(32) % 2
    with np.errstate(all="raise"):
        summary = inspect_activations(module, X, weights=True)
        diagnosis = diagnose(module, X, y, trial_steps=2, random_state=0)
        for page in (summary.to_html(), diagnosis.to_html(), audit(module, X).to_html()):
            assert page.endswith("</html>\n") or page.endswith("</html>")
        assert set(np.geterr().values()) == {"raise"}
    if value != 1e30:
        assert "no finite value" in summary.to_html()


def test_a_mask_that_leaves_nothing_gives_a_page_that_says_so():
    layer = build(lambda: torch.nn.TransformerEncoderLayer(4, 2, batch_first=True))
    summary = inspect_activations(layer, torch.ones(8, 5, 4), padding_mask=np.ones((8, 5), bool))
    assert summary.answer() == "No activations were recorded."
    assert summary.answer() in summary.to_html()


def test_the_report_of_tables_without_columns_names_them(result):
    runs = result.runs.drop(columns=["seed", "reason"])
    with pytest.raises(InvalidParameterError, match="ComparisonResult: runs lacks seed, reason"):
        ComparisonResult(result.frames | {"runs": runs}).to_html()
