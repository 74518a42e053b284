"""Sentences with a count are right for a count of one."""

import ast
import re
from pathlib import Path

import pytest

import initsk

PACKAGE = Path(initsk.__file__).parent
NOUNS = (
    "activations|batches|branches|bytes|classes|columns|copies|corrections|differences|epochs|features|folds|gradients"
    "|groups|heads|initializers|layers|matrices|operations|outputs|parameters|patches|repeats|rounds|rows|runs|samples"
    "|scores|seconds|splits|steps|targets|tensors|threads|trials|units|values|weights"
)
# A value, perhaps an adjective, and a plural.
PLURAL = re.compile(rf"\{{\}} (?:(?!are|gives|has|for|of|with)[a-z]+ )?(?:{NOUNS})\b")
# Sentences that are said of two or more only.
OF_SEVERAL = (
    "{} layers begin as exact copies", "{} {} layers have this finding", "{} matrices or units",
    "{} of {} layers are shown", "has {} of {} runs", "interval {} to {}, {} runs",
    "one of {} branches", "one of {} residual branches", "saved {} of {} runs",
    "y has {} rows, and no part of X", "{} paired runs would detect it", "(the same in {} runs)",
    "shows the {} of {} runs", "With only {} runs", "With only {} splits", "{} splits would detect it",
    "{} rows are the same run", "at least {} samples",
)  # fmt: skip
# The value is the name of a network or of a type, or a part of a sentence.
OF_NAMES = ("with which {} runs", "{} values are not finite", "{} the weights of a module")


def plural_sentences():
    """Yield the sentences of the package in which a plural follows a value, with empty braces for the values."""
    for path in PACKAGE.rglob("*.py"):
        for sentence in sentences(ast.parse(path.read_text())):
            if PLURAL.search(sentence):
                yield f"{path.name}: {sentence}"


def sentences(tree):
    passed = {id(node) for node in without_own_sentence(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield re.sub(r"\{\w*(:[^{}]*)?\}", "{}", node.value)


def without_own_sentence(tree):
    """Yield docstrings, the parts of f-strings, and plurals that are given with their singular."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("plural", "plural_message"):
            yield from node.args


def test_no_plural_follows_a_count_that_can_be_one():
    known = (*OF_SEVERAL, *OF_NAMES)
    found = list(plural_sentences())
    assert [sentence for sentence in found if not any(part in sentence for part in known)] == []
    assert [part for part in known if not any(part in sentence for sentence in found)] == []


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("raise ValueError(f'X has {len(X)} samples')", 1),
        ("message('{n:.3g} hidden layers')", 1),
        ("plural('{n} step', '{n} steps', n)", 0),
        ("f'{share} of the rows'", 0),
    ],
)
def test_plurals_are_found(source, n_found):
    assert sum(bool(PLURAL.search(sentence)) for sentence in sentences(ast.parse(source))) == n_found
