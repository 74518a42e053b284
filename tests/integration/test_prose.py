"""Words that the prose of the repository avoids, because they are for persons and the prose is about things."""

import ast
import io
import re
import tokenize
from pathlib import Path

from tests.helpers import of_folders

ROOT = Path(__file__).parents[2]
AVOIDED = re.compile(r"\b(who|whom|nobody|somebody)\b", flags=re.IGNORECASE)
PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples")),
]
PYTHON = [
    path for folder in ("initsk", "tests", "examples", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))
]
CATALOGUES = sorted((ROOT / "initsk" / "locale").glob("*.po"))


def docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node, clean=False) or ""


def strings(tree):
    """Yield every string literal, docstrings and the parts of f-strings included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def comments(source):
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def prose_of(path):
    """Yield the texts of a file that people read; none of a file without such a word, which is not parsed."""
    source = path.read_text()
    if not AVOIDED.search(source):
        return
    if path.suffix == ".md":
        yield source
    elif path.suffix == ".po":
        yield "\n".join(re.findall(r'^(?:msgid|msgid_plural)? ?"(.*)"$', source, flags=re.MULTILINE))
    else:
        tree = ast.parse(source)
        yield from strings(tree) if path.is_relative_to(ROOT / "initsk") else docstrings(tree)
        yield from comments(source)


@of_folders([*PAGES, *PYTHON, *CATALOGUES], ROOT)
def test_prose_is_about_things(paths):
    found = [
        (str(path), line.strip())
        for path in paths
        for text in prose_of(path)
        for line in text.splitlines()
        if AVOIDED.search(line)
    ]
    assert found == []


def test_the_words_are_found():
    assert AVOIDED.search("Who is chosen")
    assert not AVOIDED.search("the whole")
