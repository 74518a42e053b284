"""Whether a network will train, before it is trained."""

from typing import Any

from initsk.diagnosis._findings import findings_of, health, numbers_of, optimizer_kind, sentence
from initsk.diagnosis._measurements import MAX_SAMPLES, Measurements, some_samples, take_measurements
from initsk.diagnosis._predict import DepthBudget
from initsk.diagnosis._recommend import Recommendation, recommend_initializer, reinitialized
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary
from initsk.network import get_model
from initsk.utils.random import RandomState, check_random_state, resolve_seed
from initsk.utils.results import Reported
from initsk.utils.validation import check_parameters, integer, refuse, resolved_by


class Diagnosis(Reported):
    """Whether a network will train, and what keeps it from it; made by `diagnose`.

    Parameters
    ----------
    measurements : Measurements
        What was measured.
    optimizer : {"gradient", "adaptive"}
        Kind of optimizer that the limits are for.
    recommendation : Recommendation or None
        What would suit the network; None where it cannot be read.
    recommended : Measurements or None
        What was measured of a copy that has the recommended initializer.

    Attributes
    ----------
    score : float
        From 0 to 1, higher is healthier: the health by the verdict that is worst, 0.5 at its threshold.
    will_train : bool
        Whether the score is at least 0.5.
    recommended_score : float
        The score of a copy that has the recommended initializer; NaN where nothing is recommended.
    findings : DataFrame
        A row per finding: ``layer``, ``verdict``, ``number``, ``threshold``, ``decides`` (whether networks beyond the
        threshold do not train; the others are to be noted), ``evidence`` in words, ``fix``.
    numbers : DataFrame
        A row per verdict that decides by a number: ``verdict``; ``number`` of the worst layer, ``threshold``,
        ``health`` (0 to 1, 0.5 at the threshold); ``recommended_number`` and ``recommended_health``, which the
        recommended initializer would make of them (NaN where nothing is recommended).
    loss, baseline_loss : float
        Loss at the start, and that of the constant answer that is best (NaN where the loss is not known).
    depth : DepthBudget or None
        What theory says of the depth, of a plain chain of layers.
    summary : ActivationSummary
        Statistics of every layer.
    exit_code : int
        0 if it will train, otherwise 1, as the shell wants it.
    """

    def __init__(
        self,
        measurements: Measurements,
        optimizer: str,
        recommendation: Recommendation | None = None,
        recommended: Measurements | None = None,
    ) -> None:
        self.measurements = measurements
        self.optimizer = optimizer
        self.recommendation = recommendation
        self.recommended = recommended
        self.score = min(health(measurements, optimizer).values())
        self.findings = findings_of(measurements, optimizer)
        self.numbers = numbers_of(measurements, recommended, optimizer)

    def __repr__(self) -> str:
        return f"Diagnosis(score={self.score:.2f}, will_train={self.will_train}; see findings)"

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self, language: str = "en") -> str:
        """Say whether the network will train, and what keeps it from it.

        Parameters
        ----------
        language : str, default="en"
            A file in ``initsk/locale``.

        Returns
        -------
        str
        """
        return sentence(findings_of(self.measurements, self.optimizer, language), self.score, language)

    @property
    def will_train(self) -> bool:
        """Whether the score is at least 0.5."""
        return self.score >= 0.5

    @property
    def recommended_score(self) -> float:
        """Score of a copy that has the recommended initializer."""
        return float("nan") if self.recommended is None else min(health(self.recommended, self.optimizer).values())

    @property
    def exit_code(self) -> int:
        """0 if the network will train, otherwise 1."""
        return 0 if self.will_train else 1

    @property
    def summary(self) -> ActivationSummary:
        """Statistics of every layer."""
        return self.measurements.summary

    @property
    def depth(self) -> DepthBudget | None:
        """What theory says of the depth."""
        return self.measurements.budget

    @property
    def loss(self) -> float:
        """Loss at the start."""
        return self.measurements.coherence.loss

    @property
    def baseline_loss(self) -> float:
        """Loss of the constant answer that is best."""
        return self.measurements.baseline_loss


def diagnose(
    model: Any,
    X: Any,
    y: Any,
    *,
    optimizer: Any = None,
    max_samples: int = MAX_SAMPLES,
    random_state: RandomState = 0,
) -> Diagnosis:
    """Send a few samples forward and backward, and return whether the network will train.

    Nothing is trained, and the model stays as it is. Verdicts that decide, of which each has a threshold that
    ``benchmarks/prediction.py`` fits to networks that were trained:

    - *symmetric*: units of a layer are copies of one another (also in their gradients);
    - *vanishing*, *exploding*: the gradient that tells samples apart, `GradientCoherence.size`, is too small or large;
    - *incoherent*: what one half of the samples teaches is of no use to the other, `GradientCoherence.agreement`;
    - *disproportionate*: a layer's gradients are far smaller than the last hidden one's;
    - *overconfident*: the loss at the start is far above that of guessing;
    - *non-finite*.

    To be noted, but not deciding: what `ActivationSummary.verdicts` finds in single layers (dead, saturated, collapsed,
    shifted mean, vanishing and exploding signals), and *too deep*: more layers than six of the depth scales that
    `initsk.theory.MeanField` gives.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; of an unfitted estimator the initial weights are seen.
    X, y : array-like
        Samples and targets, of which some are drawn.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, torch optimizer or its class, or None, default=None
        With what it is to be trained: adaptive ones, Adam and its like, make up for small gradients. None asks the
        estimator; a plain module is taken to be trained by SGD.
    max_samples : int, default=512
        How many samples, at least 2; batch normalisation and agreements need some.
    random_state : int, RandomState or Generator, default=0
        Of the samples, and of the recommended initializer's draws.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, X is not made of numbers, X and y differ in length, there are fewer than 20
        samples, or all targets are alike.
    ModuleError
        If the model carries no module that can be seen into.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, diagnose
    >>> X, y = load_digits(return_X_y=True)
    >>> diagnosis = diagnose(MLPClassifier((32, 32), initializer="zeros"), X / 16, y)
    >>> diagnosis.will_train, diagnosis.findings["verdict"].unique().tolist()
    (False, ['symmetric', 'vanishing', 'incoherent', 'dead'])
    >>> diagnose(MLPClassifier((32, 32), initializer="he_normal", random_state=0), X / 16, y).will_train
    True
    """
    given = {"optimizer": optimizer, "max_samples": max_samples, "random_state": random_state}
    allowed = {
        "optimizer": resolved_by(optimizer_kind),
        "max_samples": integer(2),
        "random_state": resolved_by(check_random_state),
    }
    check_parameters("diagnose", given, allowed)
    if y is None:
        refuse("diagnose", ["y=None is not allowed (the targets of the loss)"])
    seed = resolve_seed(random_state)
    found = get_model(model, X, y)
    X, y = some_samples(X, y, max_samples, seed)
    kind = optimizer_kind(getattr(found.net, "optimizer_", None) if optimizer is None else optimizer)
    measurements = take_measurements(found, X, y, seed, whole=True)
    try:
        recommendation = recommend_initializer(found)
        recommended = take_measurements(reinitialized(found, "auto", seed), X, y, seed)
    except InitskError:
        return Diagnosis(measurements, kind)
    return Diagnosis(measurements, kind, recommendation, recommended)
