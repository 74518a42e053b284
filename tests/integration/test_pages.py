"""Tests of the pages in a browser without a network: Chromium, controlled by Playwright."""

import json
import shutil
from functools import cache

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sklearn.datasets import load_digits
from torch import nn

from initsk import MLPClassifier, audit, compare_initializers, diagnose, inspect_activations, recommend_initializer
from initsk.comparison import ARTICLE_INITIALIZERS
from initsk.initializers import RandomNormal
from tests.helpers import batch, build, params

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def result():
    X, y = load_digits(return_X_y=True)
    # One initializer diverges, so that the page shows runs without a score.
    names = ["zeros", "he_normal", RandomNormal(std=1e20)]
    return compare_initializers(MLPClassifier((16, 8), max_epochs=2), X / 16, y, initializers=names, n_repeats=2)


def cloned_layers():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 3)


@pytest.fixture(scope="module")
def page_of(result, tmp_path_factory):
    """Return a function that writes a page of any kind in any language, each once."""
    folder = tmp_path_factory.mktemp("pages")
    X, y = load_digits(return_X_y=True)
    clf = MLPClassifier((16, 8), initializer="random_normal", random_state=0)
    kinds = {
        "comparison": lambda: result,
        "inspection": lambda: inspect_activations(clf, X / 16, y, gradients=True, weights=True),
        "diagnosis": lambda: diagnose(MLPClassifier((16, 8), initializer="zeros", random_state=0), X / 16, y),
        "recommendation": lambda: recommend_initializer(clf, X / 16, y),
        "audit": lambda: audit(build(cloned_layers), 1000 * batch(40, 5, 8)),
    }

    @cache
    def write(kind, language):
        path = folder / f"{kind}.{language}.html"
        path.write_text(kinds[kind]().to_html(language=language))
        return path

    return write


class Visit:
    """A page in the browser; the block fails if the page prints a message or a request fails."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(**options)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.messages = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("requestfailed", lambda request: self.messages.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self):
        return self.page

    def __exit__(self, *error):
        self.context.close()
        assert not self.messages


def sized(width, scheme="light", **options):
    return {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, **options}


OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter(element => {
    const box = element.getBoundingClientRect();
    const inside = element.closest(".scroll, .unseen");
    return box.width && !inside && box.right > document.documentElement.clientWidth + 0.5;
}).map(element => element.outerHTML.slice(0, 100))"""


def check(browser, path, language, width, scheme):
    """Check that a page has its language, nothing wider than the screen, and no violation of axe's rules."""
    with Visit(browser, path, **sized(width, scheme)) as page:
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFLOWING) == []
        found = Axe().run(page)
        assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found.response["violations"]] == []


@pytest.mark.parametrize(("language", "width", "scheme"), [("en", 390, "dark")])
def test_the_page_of_a_comparison_is_whole_and_accessible(browser, page_of, language, width, scheme):
    check(browser, page_of("comparison", language), language, width, scheme)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["comparison", "inspection", "diagnosis", "recommendation", "audit"])
def test_every_page_is_whole_and_accessible(browser, page_of, kind):
    # Every width has every scheme, in one of the languages.
    visits = [("en", 390, "light"), ("en", 1440, "dark"), ("id", 390, "dark"), ("id", 1440, "light")]
    for language, width, scheme in visits:
        check(browser, page_of(kind, language), language, width, scheme)


def test_scrolling_boxes_fit_the_page_and_tables_are_printed(browser, page_of):
    with Visit(browser, page_of("comparison", "en"), **sized(390)) as page:
        boxes = page.evaluate("[...document.querySelectorAll('.scroll')].map(box => box.getBoundingClientRect().right)")
        assert max(boxes) <= 390
        page.emulate_media(media="print")
        assert not page.locator(".controls").first.is_visible()
        assert page.locator("table").first.is_visible()


LINES_OF_ROWS = """() => [...document.querySelectorAll("#table-findings tbody tr")].map(
    row => row.getBoundingClientRect().height / parseFloat(getComputedStyle(row.cells[0]).lineHeight)
)"""


@pytest.mark.parametrize("kind", params(["audit", "diagnosis"], slow=["diagnosis"]))
def test_a_row_of_findings_has_few_lines_on_a_phone(browser, page_of, kind):
    with Visit(browser, page_of(kind, "en"), **sized(390)) as page:
        lines = page.evaluate(LINES_OF_ROWS)
        assert lines
        assert max(lines) < 6


WITH_SEVERAL_LINES = """names => [...document.querySelectorAll(".swatch")].map(swatch => swatch.parentElement).filter(
    cell => cell.matches("tbody th")
).flatMap(cell => names.filter(name => {
    cell.lastChild.textContent = name;
    const text = document.createRange();
    text.selectNodeContents(cell);
    return text.getBoundingClientRect().height > 1.5 * parseFloat(getComputedStyle(cell).lineHeight);
}))"""


def test_the_names_of_the_article_s_initializers_have_one_line(browser, page_of):
    with Visit(browser, page_of("comparison", "en"), **sized(390)) as page:
        for width in (390, 1200):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(WITH_SEVERAL_LINES, list(ARTICLE_INITIALIZERS)) == []


BROKEN_NAMES = """() => [...document.querySelectorAll("tbody th, td.code, td.name")].filter(cell => {
    const text = document.createRange();
    text.selectNodeContents(cell);
    const isShort = cell.textContent.length <= 20 && !cell.textContent.includes(" ");
    return isShort && text.getBoundingClientRect().height > 1.5 * parseFloat(getComputedStyle(cell).lineHeight);
}).map(cell => cell.textContent)"""


@pytest.mark.parametrize(
    "kind", params(["comparison", "diagnosis", "recommendation"], slow=["diagnosis", "recommendation"])
)
def test_names_have_one_line_on_a_phone(browser, page_of, kind):
    with Visit(browser, page_of(kind, "en"), **sized(390)) as page:
        assert page.evaluate(BROKEN_NAMES) == []


def cells(page, table, column):
    return page.locator(f"#{table} tbody tr > :nth-child({column})").all_inner_texts()


def test_tables_are_sorted_by_mouse_and_by_keyboard(browser, page_of, result):
    summary = result.summary()
    with Visit(browser, page_of("comparison", "en"), **sized(1440)) as page:
        names = [name.strip() for name in cells(page, "table-ranking", 2)]
        # The baseline stands where its score belongs.
        assert [name for name in names if "baseline" not in name] == summary["initializer"].tolist()
        scores = [*summary["mean_score"].dropna(), result.baseline_score()]
        heading = page.locator("#table-ranking thead th", has_text="Initializer")
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        assert [name.strip() for name in cells(page, "table-ranking", 2)] == sorted(names, key=str.casefold)
        page.locator("#table-ranking thead th", has_text="Mean score").locator("button").focus()
        page.keyboard.press("Enter")
        # Initializers without a score stay last in both orders.
        shown = cells(page, "table-ranking", 3)
        assert shown == [f"{score:.4f}" for score in sorted(scores)] + ["-"]
        page.keyboard.press("Space")
        shown = cells(page, "table-ranking", 3)
        assert shown == [f"{score:.4f}" for score in sorted(scores, reverse=True)] + ["-"]
        assert heading.get_attribute("aria-sort") is None


def visible_stages(page):
    return set(page.locator("#activations figure:visible figcaption").all_inner_texts())


def test_moments_initializers_and_layers_are_chosen(browser, page_of):
    with Visit(browser, page_of("comparison", "en"), **sized(1440)) as page:
        controls = page.locator("#activations .controls")
        assert visible_stages(page) == {"after training"}
        controls.get_by_role("button", name="at initialization").click()
        assert visible_stages(page) == {"at initialization"}
        slider = controls.get_by_role("slider", name="Stage of training")
        slider.focus()
        page.keyboard.press("ArrowRight")
        assert visible_stages(page) == {"after epoch 1"}
        assert slider.get_attribute("aria-valuetext") == "after epoch 1"
        assert page.locator("#activations .subsection:visible").count() == 3
        controls.get_by_label("Initializer").select_option("he_normal")
        assert page.locator("#activations .subsection:visible").count() == 1
        drawing = page.locator("#activations figure:visible svg")
        whole = json.loads(f"[{','.join(drawing.get_attribute('viewBox').split())}]")
        controls.get_by_label("Layer").select_option("hidden_2")
        part = json.loads(f"[{','.join(drawing.get_attribute('viewBox').split())}]")
        # Only the second panel, the right half.
        assert part[0] > whole[2] / 3
        assert part[2] < 0.7 * whole[2]
        assert part[0] + part[2] <= whole[2]
        controls.get_by_label("Layer").select_option("")
        assert json.loads(f"[{','.join(drawing.get_attribute('viewBox').split())}]") == whole


def test_without_javascript_all_figures_and_tables_are_visible(browser, page_of):
    with Visit(browser, page_of("comparison", "en"), **sized(390, java_script_enabled=False)) as page:
        figures, tables = page.locator("figure"), page.locator("table")
        assert figures.count() == page.locator("figure:visible").count()
        # 3 moments of the activations for 2 initializers, 2 of the weights for 3, curves, differences, signal.
        assert figures.count() >= 2 * 3 + 3 * 2 + 3
        assert tables.count() == page.locator("table:visible").count() >= 6
        assert page.locator(".controls:visible").count() == 0


HOSTILE = """<!DOCTYPE html><html lang="en"><title>host</title><style>
* {{ font-size: 41px !important; color: rgb(255, 0, 0) !important; }} td {{ padding: 99px !important; }}</style>
<p id="host">text</p><div id="output">{fragment}</div></html>"""


def test_styles_of_host_and_fragment_do_not_mix(browser, result, tmp_path):
    (tmp_path / "host.html").write_text(HOSTILE.format(fragment=result._repr_html_()))
    (tmp_path / "empty.html").write_text(HOSTILE.format(fragment=""))
    style = "e => [getComputedStyle(e).fontSize, getComputedStyle(e).color, getComputedStyle(e).margin]"
    with Visit(browser, tmp_path / "empty.html", **sized(1440)) as page:
        before = page.locator("#host").evaluate(style)
    with Visit(browser, tmp_path / "host.html", **sized(1440)) as page:
        assert page.locator("#host").evaluate(style) == before
        frame = page.frame_locator("iframe")
        size, color, _ = frame.locator("td").first.evaluate(style)
        assert (size, color) != ("41px", "rgb(255, 0, 0)")
        # The frame is as high as its content, so that nothing scrolls inside.
        inner = frame.locator("html").evaluate("e => e.scrollHeight")
        assert page.locator("iframe").bounding_box()["height"] >= inner


def test_dark_and_light_differ(browser, page_of):
    def paper(scheme):
        with Visit(browser, page_of("comparison", "en"), **sized(1440, scheme)) as page:
            color = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
            return np.mean(json.loads(color.replace("rgb(", "[").replace(")", "]")))

    assert paper("light") > 240
    assert paper("dark") < 40
