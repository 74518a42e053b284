"""From which number on a network does not train, and how sure that is; fitted by ``benchmarks/prediction.py``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, isnan, log10
from typing import Any

import pandas as pd
import torch

from initsk.diagnosis._measurements import Measurements
from initsk.estimators import get_optimizer
from initsk.inspection import ADVICE, named
from initsk.language import Language, get_language, message
from initsk.theory import activation_label

# A number of 0 is as far below every limit as this.
_MIN_NUMBER, _MAX_NUMBER = 1e-12, 1e12


@dataclass(frozen=True)
class Limit:
    """A number below which, or above which, networks do not train.

    Parameters
    ----------
    threshold : float
        Where as many trained as did not.
    width : float
        How gradual that is: in decades for sizes, otherwise in the number's own unit.
    above : bool, default=True
        Whether healthy numbers lie above.
    is_size : bool, default=True
        Whether the number is a size, which is compared by its logarithm.

    Examples
    --------
    >>> limit = Limit(0.01, 0.25)
    >>> [round(limit.health(number), 2) for number in (1.0, 0.01, 0.001)]
    [1.0, 0.5, 0.02]
    """

    threshold: float
    width: float
    above: bool = True
    is_size: bool = True

    def health(self, number: float) -> float:
        """Return 0.5 at the threshold, and more on the healthy side, up to 1; NaN says nothing against a network."""
        if isnan(number):
            return 1.0
        distance = _log(number) - _log(self.threshold) if self.is_size else number - self.threshold
        steps = (distance if self.above else -distance) / self.width
        return 1 / (1 + exp(-min(max(steps, -700.0), 700.0)))


def _log(number: float) -> float:
    return log10(min(max(number, _MIN_NUMBER), _MAX_NUMBER))


#: By the kind of optimizer: "adaptive" ones, such as Adam, make up for small gradients.
LIMITS: Mapping[str, Mapping[str, Limit]] = {
    "gradient": {
        "symmetric": Limit(0.5, 0.05, above=False, is_size=False),
        "vanishing": Limit(0.0013, 0.1),
        "exploding": Limit(300.0, 0.1, above=False),
        "incoherent": Limit(0.2, 0.093, is_size=False),
        "disproportionate": Limit(0.0034, 0.28),
        "overconfident": Limit(55.0, 0.1, above=False),
    },
    "adaptive": {
        "symmetric": Limit(0.5, 0.05, above=False, is_size=False),
        "vanishing": Limit(0.000084, 0.1),
        "exploding": Limit(330000.0, 0.85, above=False),
        "incoherent": Limit(0.29, 0.09, is_size=False),
        "disproportionate": Limit(0.00019, 1.0),
        "overconfident": Limit(26000.0, 1.0, above=False),
    },
}
_ADAPTIVE = ("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "SparseAdam")


def optimizer_kind(optimizer: Any) -> str:
    """Return "adaptive" for Adam and its like, and "gradient" for steps along the gradient.

    Parameters
    ----------
    optimizer : str, torch optimizer or its class, or None
        What `get_optimizer` takes, an optimizer, or None for "gradient".

    Examples
    --------
    >>> optimizer_kind(torch.optim.NAdam), optimizer_kind("sgd"), optimizer_kind(None)
    ('adaptive', 'gradient', 'gradient')
    """
    if optimizer is None:
        return "gradient"
    kind = type(optimizer) if isinstance(optimizer, torch.optim.Optimizer) else get_optimizer(optimizer)
    return "adaptive" if any(base.__name__ in _ADAPTIVE for base in kind.__mro__) else "gradient"


FIXES = {
    "non-finite": ADVICE["non-finite"],
    "symmetric": ADVICE["symmetric"],
    "vanishing": message("raise the variance of the weights, add normalisation, or use a recommended initializer"),
    "exploding": message("lower the variance of the weights, scale X, or use a recommended initializer"),
    message("incoherent"): message(
        "lower the variance of the weights, add residual branches or normalisation; or see if y has to do with X"
    ),
    message("disproportionate"): message(
        "use a critical or orthogonal initializer, residual branches or normalisation"
    ),
    message("overconfident"): message(
        "lower the variance of the output layer's weights (lecun_normal, or zeros there alone)"
    ),
    message("too deep"): message(
        "use a critical initializer (edge_of_chaos), fewer layers, residual branches or normalisation"
    ),
}
_LOSS = message("give the loss what it is made for: NLLLoss log-probabilities, CrossEntropyLoss scores as they are")
_EVIDENCE = {
    "loss": message("The loss at the start is NaN or infinite."),
    "symmetric": message("{share} of the units of {layer} are copies of one another, and will stay so."),
    "vanishing": message(
        "What tells samples apart reaches the weights with a gradient of size {number}: too small a step to learn from."
    ),
    "exploding": message(
        "What tells samples apart reaches the weights with a gradient of size {number}: a step goes much too far."
    ),
    "incoherent": message(
        "The gradients of two halves of the samples agree by {number}: what one half teaches is of no use to the other."
    ),
    "disproportionate": message("The gradients of {layer} are {number} times those of the last hidden layer."),
    "overconfident": message("The loss at the start is {number} times that of guessing."),
    "too deep": message(
        "{depth} layers of {activation} are {number} times what theory allows: six depth scales of {scale}."
    ),
}
DTYPES = {
    "layer": "str", "verdict": "str", "number": "float64", "threshold": "float64", "decides": "bool",
    "evidence": "str", "fix": "str",
}  # fmt: skip
_Row = tuple[str, str, float, float, bool, str, str]


def findings_of(measurements: Measurements, kind: str, language: str = "en") -> pd.DataFrame:
    """Return a row per finding: first what decides, the gravest first, then what is to be noted.

    Parameters
    ----------
    measurements : Measurements
    kind : {"gradient", "adaptive"}
        Of the optimizer.
    language : str, default="en"

    Returns
    -------
    DataFrame
        ``layer`` ("" for the whole network), ``verdict``, ``number``, ``threshold``, ``decides``, ``evidence``,
        ``fix``.
    """
    translate = get_language(language)
    deciding = list(_deciding(measurements, kind, translate))
    rows = [*deciding, *_notes(measurements, {row[1] for row in deciding}, translate)]
    return pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)


def health(measurements: Measurements, kind: str) -> dict[str, float]:
    """Return the health by each deciding verdict: that of the worst layer."""
    found = {"non-finite": 0.0 if measurements.numbers["non-finite"] else 1.0}
    for verdict, limit in LIMITS[kind].items():
        found[verdict] = limit.health(worst(measurements, kind, verdict))
    return found


def worst(measurements: Measurements, kind: str, verdict: str) -> float:
    """Return the number of the layer that is worst by a deciding verdict; NaN where it applies to none."""
    limit = LIMITS[kind][verdict]
    return min(measurements.numbers[verdict].values(), key=limit.health, default=float("nan"))


def numbers_of(measurements: Measurements, recommended: Measurements | None, kind: str) -> pd.DataFrame:
    """Return a row per verdict that decides by a number: the worst layer's, now and with what is recommended."""
    now = health(measurements, kind)
    then = {} if recommended is None else health(recommended, kind)
    nan = float("nan")
    rows = [
        (
            verdict, worst(measurements, kind, verdict), limit.threshold, now[verdict],
            nan if recommended is None else worst(recommended, kind, verdict), then.get(verdict, nan),
        )
        for verdict, limit in LIMITS[kind].items()
    ]  # fmt: skip
    columns = ["verdict", "number", "threshold", "health", "recommended_number", "recommended_health"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[1:], "float64"))


def _deciding(measurements: Measurements, kind: str, translate: Language) -> Iterator[_Row]:
    for verdict in (name for name, value in health(measurements, kind).items() if value < 0.5):
        if verdict == "non-finite":
            found = measurements.summary.verdicts(language=translate.code)
            for layer, value, threshold, evidence in _cells(found[found["verdict"] == verdict]):
                yield layer, verdict, value, threshold, True, evidence, translate(FIXES[verdict])
            if "" in measurements.numbers[verdict]:
                yield "", verdict, 1.0, 0.0, True, translate(_EVIDENCE["loss"]), translate(_LOSS)
            continue
        limit = LIMITS[kind][verdict]
        for layer, number in measurements.numbers[verdict].items():
            if limit.health(number) < 0.5:
                where = layer or measurements.weakest(verdict)
                shown = {"number": translate.short(number, 2), "share": translate.percent(number)}
                evidence = translate(_EVIDENCE[verdict], layer=named(where, translate), **shown)
                yield where, verdict, number, limit.threshold, True, evidence, translate(FIXES[verdict])


def _notes(measurements: Measurements, said: set[str], translate: Language) -> Iterator[_Row]:
    """Yield what does not decide: networks that have it have been trained."""
    found = measurements.summary.verdicts(language=translate.code)
    noted = found[~found["verdict"].isin([*said, "healthy", "non-finite"])]
    for (layer, value, threshold, evidence), verdict in zip(_cells(noted), noted["verdict"], strict=True):
        yield layer, verdict, value, threshold, False, evidence, translate(ADVICE[verdict])
    budget = measurements.budget
    if budget is not None and budget.share > 1:
        evidence = translate(
            _EVIDENCE["too deep"],
            depth=translate.integer(budget.depth),
            activation=activation_label(budget.activation),
            number=translate.short(budget.share, 2),
            scale=translate.short(budget.xi_c),
        )
        yield "", "too deep", budget.share, 1.0, False, evidence, translate(FIXES["too deep"])


def _cells(verdicts: pd.DataFrame) -> list[list[Any]]:
    cells: list[list[Any]] = verdicts[["layer", "value", "threshold", "evidence"]].to_numpy().tolist()
    return cells


def sentence(findings: pd.DataFrame, score: float, language: str = "en") -> str:
    """Say in a sentence or two whether a network will train, and what keeps it from it."""
    translate = get_language(language)
    deciding, notes = (findings[findings["decides"] == which] for which in (True, False))
    shown = translate.number(score, 2)
    if len(deciding):
        first = str(deciding["evidence"].iloc[0])
        return translate("It will not train as it is (score {score}). {first}", score=shown, first=first)
    if notes.empty:
        return translate("It will train (score {score}); nothing is wrong.", score=shown)
    kinds = translate.all_of([translate(str(verdict)) for verdict in notes["verdict"].unique()])
    return translate("It will train (score {score}); to be noted: {verdicts}.", score=shown, verdicts=kinds)
