"""The words of a report for what was compared."""

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from initsk import ComparisonResult, MLPClassifier, compare_initializers
from tests.helpers import params

# Names of activation functions, of which one is an initializer's too, of optimizers, and numbers.
VALUES = {"activation": ["relu", "identity"], "optimizer": ["adam", "sgd"], "lr": [0.1, 0.01]}


@pytest.fixture(scope="module", params=params(VALUES, slow=["optimizer", "lr"]))
def compared(request):
    parameter = request.param
    clf = MLPClassifier((8,), max_epochs=2)
    result = compare_initializers(
        clf, *load_iris(return_X_y=True), parameter=parameter, initializers=VALUES[parameter], n_repeats=2
    )
    return parameter, result


def test_a_comparison_of_another_parameter_says_nothing_about_initializers(compared):
    parameter, result = compared
    text = result.to_markdown()
    assert text.startswith(f"# Values of {parameter} compared: a data set\n")
    assert f"**Values of {parameter}, best first**" in text
    assert f"| Rank | {parameter} | Mean score |" in text
    # Below are the parameters of the estimator and the call, which have such names.
    told, _ = text.split("## What was run")
    assert "nitializer" not in told
    assert "Formula" not in text
    assert "family" not in text


def test_pages_and_print_name_the_compared_parameter(compared):
    parameter, result = compared
    assert f"<label>{parameter} <select" in result.to_html()
    assert f"Rank {parameter}".split() == [word for word in str(result).split() if word in ("Rank", parameter)][:2]
    assert "Initializer" not in str(result)
    assert f"2 values of {parameter};" in repr(result)


def test_the_words_for_a_compared_parameter_are_translated(compared):
    parameter, result = compared
    text = result.to_markdown(language="id")
    assert text.startswith(f"# Perbandingan nilai {parameter}: ")
    assert f"dengan satu garis untuk setiap nilai {parameter}." in text
    assert "inisialisasi lain" not in text


def test_a_search_over_another_parameter_names_it():
    search = GridSearchCV(MLPClassifier((8,), max_epochs=1, random_state=0), {"lr": [0.1, 0.01]}, cv=2)
    result = ComparisonResult.from_search(search.fit(*load_iris(return_X_y=True)), parameter="lr")
    text = result.to_markdown()
    assert text.startswith("# Values of lr compared: ")
    assert "every value of lr had the same split" in text


def test_initializers_keep_their_words(result):
    text = result.to_markdown()
    assert text.startswith("# Initializers compared: ")
    assert "| Rank | Initializer | Mean score |" in text
    assert "## The initializers" in text
