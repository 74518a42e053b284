"""The texts of ``help()`` for public names: signatures are readable, and the methods of results are named."""

import inspect
import pydoc
import re

import pytest

import initsk
from initsk import ComparisonResult, compare_initializers, diagnose, displays, initializers, inspect_activations
from initsk.diagnosis import Diagnosis
from initsk.inspection import ActivationSummary

# A longer annotation fills most of a line.
LONGEST = 64
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (initsk, displays, initializers)
    for name in module.__all__
    if callable(getattr(module, name))
}


def signatures(value):
    """Yield the signatures of a function, or of a class and its public methods."""
    yield inspect.signature(value)
    for name, member in vars(value).items() if isinstance(value, type) else []:
        function = getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(function):
            yield inspect.signature(function)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_annotations_are_short(name):
    for signature in signatures(PUBLIC[name]):
        annotations = [parameter.annotation for parameter in signature.parameters.values()]
        for annotation in [*annotations, signature.return_annotation]:
            assert len(inspect.formatannotation(annotation)) <= LONGEST


def test_aliases_stand_by_name_in_signatures():
    for function, parameter, alias in (
        (initsk.initialize, "initializer", "InitializerLike"),
        (initsk.MLPClassifier, "activation", "ActivationOption"),
        (initsk.MLPClassifier, "random_state", "RandomState"),
        (diagnose, "optimizer", "OptimizerChoice"),
        (inspect_activations, "layers", "Layers"),
    ):
        assert re.search(rf"\b{alias}\b", str(inspect.signature(function).parameters[parameter]))


@pytest.mark.parametrize(
    ("function", "result", "main"),
    [
        (
            compare_initializers,
            ComparisonResult,
            "summary pairwise tuned target runs history layers gradients weights timing answer to_html save load",
        ),
        (
            inspect_activations,
            ActivationSummary,
            "to_frame histograms parameters findings layers answer to_html to_markdown to_json to_pictures",
        ),
        (
            diagnose,
            Diagnosis,
            "score will_train findings learning_rates recommendation recommended_score contributions trial to_html",
        ),
    ],
)
def test_the_help_names_what_the_result_has(function, result, main):
    returned = re.search(r"Returns\n-+\n(.*?)\n\n", inspect.getdoc(function), flags=re.DOTALL)[1]
    words = set(re.findall(r"\b[a-z_]+\b", " ".join(re.findall(r"`([^`]+)`", returned.replace("``", "`")))))
    assert words >= set(main.split())
    attributes = {*dir(result), *re.findall(r"^(\w+) : DataFrame", inspect.getdoc(result), flags=re.MULTILINE)}
    named = {text.partition("(")[0] for text in re.findall(r"(?<!`)`([a-z_]+(?:\(\))?)`(?!`)", returned)}
    assert named <= attributes


def test_the_help_of_diagnose_explains_the_score():
    text = " ".join(inspect.getdoc(diagnose).split())
    for words in ("probability, from 0 to 1, that training succeeds", "at least 0.5", "fitted by", "held out"):
        assert words in text


def test_the_help_of_compare_initializers_says_which_estimators_have_layers_and_shows_a_pipeline():
    text = " ".join(inspect.getdoc(compare_initializers).split())
    assert "They have rows for `MLPClassifier`, `MLPRegressor`, any skorch net, and a pipeline that ends in" in text
    assert "make_pipeline(StandardScaler(), MLPClassifier" in text


@pytest.mark.parametrize("kind", [initsk.MLPClassifier, initsk.MLPRegressor])
def test_the_help_of_the_perceptrons_documents_every_parameter(kind):
    text = pydoc.render_doc(kind, renderer=pydoc.plaintext)
    assert "{parameters}" not in text
    for name in inspect.signature(kind).parameters:
        assert re.search(rf"^ \|  {name} : ", text, flags=re.MULTILINE), name
