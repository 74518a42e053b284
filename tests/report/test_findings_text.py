"""Sentences about findings, and about a diagnosis, that have a count."""

import re

import pytest
import torch
from torch import nn

from initsk import diagnose, inspect_activations
from initsk.diagnosis import Audit
from initsk.inspection import Finding
from initsk.network import MLP
from initsk.report import describe_findings
from tests.helpers import batch, build

COUNTED = [
    ("non-finite", "activations", "value"),
    ("non-finite", "gradients", "gradient"),
    ("non-finite", "samples", "sample"),
    ("non-finite", "outputs", "value"),
    ("cut off", "trial", "value"),
    ("unused", "trial", "value"),
]


def evidence(kind, of, value, language="en"):
    finding = Finding("fc", kind, value, 0.0, True, of)
    return describe_findings(Audit((finding,)), language=language)["evidence"].iloc[0]


@pytest.mark.parametrize(("kind", "of", "noun"), COUNTED)
def test_evidence_has_the_singular_for_one_and_the_plural_otherwise(kind, of, noun):
    one, many = evidence(kind, of, 1.0), evidence(kind, of, 2050.0)
    assert re.match(rf"1 {noun} .*\b(is|has|gets)\b", one)
    assert re.match(rf"2,050 {noun}s .*\b(are|have|get)\b", many)
    assert "them" not in one
    assert evidence(kind, of, 1.0, "id").replace("1 ", "2.050 ") == evidence(kind, of, 2050.0, "id")


def test_numbers_of_copies_are_whole():
    assert evidence("cloned", "weights", 2.0).startswith("2 layers begin")
    assert evidence("cloned", "parts", 1536.0).startswith("The 1,536 matrices or units")


def test_a_negative_agreement_is_not_written_as_zero():
    assert "samples is -0.48:" in evidence("incoherent", "gradients", -0.478)


@pytest.mark.parametrize(("budget", "steps"), [(1, "1 step"), (2, "2 steps")])
def test_a_diagnosis_counts_its_steps(budget, steps):
    network, y = build(lambda: MLP(8, 4, (16,))), torch.arange(100) % 4
    diagnosis = diagnose(network, batch(100, 8), y, lr=0.01, batch_size=20, budget=budget)
    text = diagnosis.to_markdown()
    assert f" in {steps} at the learning rate" in str(diagnosis)
    assert f"The trial took {steps} on a copy" in text
    assert f"the baseline loss after {steps}. A contribution" in text


def layers_with(dead):
    """Return three layers of which the first one has this many dead units out of 50."""
    net = build(lambda: MLP(20, 3, (50, 50)))
    with torch.no_grad():
        next(module for module in net.modules() if isinstance(module, torch.nn.Linear)).bias[:dead] = -100
    return inspect_activations(net, batch(200, 20))


@pytest.mark.parametrize(
    ("dead", "words"),
    [
        (0, None),
        (5, None),
        (21, "Noted, without a finding: 42% of the units of hidden_1 are zero for every sample."),
        (49, "Problems were found: "),
    ],
)
def test_the_answer_names_values_that_are_almost_findings(dead, words):
    answer = layers_with(dead).answer()
    assert ("No problems were found in the 3 inspected layers." in answer) == (dead < 25)
    assert ("Noted" in answer) == (dead == 21)
    assert words is None or words in answer


def test_a_ratio_below_rounding_is_no_zero():
    # All samples give ones, up to rounding.
    net = build(lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2)))
    with torch.no_grad():
        net[2].weight *= 1e-9
        net[2].bias.fill_(1.0)
    findings = describe_findings(inspect_activations(net, batch(50, 4))).set_index("kind")
    assert "The samples differ less than 1e-07 times as much in layer 2" in findings.loc["collapsed", "evidence"]
