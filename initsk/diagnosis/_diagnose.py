"""Whether a network will train, before it is trained."""

from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd

from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._health import find, health_frame, optimizer_kind, score_of
from initsk.diagnosis._measurements import MAX_SAMPLES, Measurements, draw_samples, take_measurements
from initsk.diagnosis._recommend import Recommendation, recommend_initializer, reinitialized
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, findings_frame
from initsk.network import first_batch, get_model, has_targets
from initsk.utils.random import RandomState, check_random_state, resolve_seed
from initsk.utils.results import Reported
from initsk.utils.validation import check_parameters, integer, refuse, resolved_by


@dataclass(repr=False, eq=False)
class Diagnosis(Reported):
    """Whether a network will train, and what prevents it; made by `diagnose`.

    Parameters
    ----------
    measurements : Measurements
        Values measured in the network.
    optimizer : {"gradient", "adaptive"}
        Kind of optimizer that the thresholds are for.
    recommendation : Recommendation or None
        Initializers that suit the network; None if the network cannot be read.
    recommended : Measurements or None
        Values measured in a copy with the recommended initializers.

    Attributes
    ----------
    score : float
        Estimated probability that training succeeds, from 0 to 1: the lowest health of all kinds of finding that
        decide.
    will_train : bool
        Whether the score is at least 0.5.
    recommended_score : float
        The score of a copy with the recommended initializers; NaN without a recommendation.
    loss, baseline_loss : float
        Loss at the start, and loss of the best constant prediction (NaN for a loss that is not known).
    depth : DepthBudget or None
        Depth relative to the depth scales of mean field theory, for a plain chain of layers.
    inspection : ActivationSummary
        Statistics of every layer.
    exit_code : int
        0 if `will_train`, otherwise 1: the exit code of ``initsk diagnose``.
    """

    measurements: Measurements
    optimizer: str
    recommendation: Recommendation | None = None
    recommended: Measurements | None = None

    def __post_init__(self) -> None:
        self.score = score_of(self.measurements, self.optimizer)
        self.recommended_score = nan if self.recommended is None else score_of(self.recommended, self.optimizer)

    def __repr__(self) -> str:
        return f"Diagnosis(score={self.score:.2f}, will_train={self.will_train}; see findings())"

    def __str__(self) -> str:
        return self.answer()

    @property
    def will_train(self) -> bool:
        """Whether the score is at least 0.5."""
        return self.score >= 0.5

    @property
    def exit_code(self) -> int:
        """0 if `will_train`, otherwise 1."""
        return 0 if self.will_train else 1

    @property
    def inspection(self) -> ActivationSummary:
        """Statistics of every layer."""
        return self.measurements.summary

    @property
    def depth(self) -> DepthBudget | None:
        """Depth relative to the depth scales of mean field theory."""
        return self.measurements.depth

    @property
    def loss(self) -> float:
        """Loss at the start."""
        return self.measurements.coherence.loss

    @property
    def baseline_loss(self) -> float:
        """Loss of the best constant prediction."""
        return self.measurements.baseline_loss

    def findings(self) -> pd.DataFrame:
        """Return a row for each finding; those that keep the network from training come first.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Returns
        -------
        DataFrame
            ``layer`` ("" for the whole network), ``kind``, ``value``, ``threshold`` (float64), ``decides`` (whether
            findings of this kind keep a network from training), ``of``, ``relative_to``; see
            `ActivationSummary.findings`.
        """
        return findings_frame(find(self.measurements, self.optimizer))

    def health(self) -> pd.DataFrame:
        """Return a row per kind of finding that decides by a value.

        Returns
        -------
        DataFrame
            ``kind``; ``value`` of the worst layer; ``threshold``; ``health`` (0 to 1, 0.5 at the threshold);
            ``recommended_value`` and ``recommended_health`` of a copy with the recommended initializers (NaN without
            a recommendation).
        """
        return health_frame(self.measurements, self.recommended, self.optimizer)


def diagnose(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    optimizer: Any = None,
    max_samples: int = MAX_SAMPLES,
    random_state: RandomState = 0,
) -> Diagnosis:
    """Estimate whether a network will train, from one forward and backward pass of a few samples.

    Nothing is trained, and the model does not change. Findings of these kinds keep a network from training; their
    thresholds are fitted to trained networks by ``benchmarks/prediction.py``:

    - *symmetric*: units of a layer are copies of one another, and so are their gradients;
    - *small gradient*, *large gradient*: the gradient that distinguishes samples, `GradientCoherence.size`, is too
      small or too large;
    - *incoherent*: the gradients of two halves of the samples do not agree, `GradientCoherence.agreement`;
    - *disproportionate*: the gradients of a layer are far smaller than those of the last hidden layer;
    - *overconfident*: the loss at the start is far above the baseline loss;
    - *non-finite*: values, gradients or the loss are NaN or infinite.

    The other kinds also occur in networks that train: findings of `ActivationSummary.findings` in single layers (dead,
    saturated, collapsed, shifted mean, vanishing, exploding), and *too deep*: more layers than six depth scales of
    `initsk.theory.MeanField`.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; an unfitted estimator is inspected at its initial weights.
    X, y : array-like
        Samples and targets, at least 20, in any form that `inspect_activations` takes; of a stream, the first batch. At
        most `max_samples` of them are drawn; a graph is taken whole.
    optimizer : {"adam", "adamw", "rmsprop", "sgd"}, torch optimizer or its class, or None, default=None
        Optimizer of the training: adaptive ones, such as Adam, compensate for small gradients. None takes the
        optimizer of the estimator, and SGD for a plain module.
    max_samples : int, default=512
        Number of samples, at least 2.
    random_state : int, RandomState or Generator, default=0
        Seed of the choice of samples and of the recommended initializers.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, X is not made of numbers, X and y differ in length, there are fewer than 20
        samples, or all targets are alike.
    ModuleError
        If the model has no module whose layers can be read.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, diagnose
    >>> X, y = load_digits(return_X_y=True)
    >>> diagnosis = diagnose(MLPClassifier((32, 32), initializer="zeros"), X / 16, y)
    >>> diagnosis.will_train, diagnosis.findings()["kind"].unique().tolist()
    (False, ['symmetric', 'small gradient', 'incoherent', 'dead'])
    >>> diagnose(MLPClassifier((32, 32), initializer="he_normal", random_state=0), X / 16, y).will_train
    True
    """
    given = {"optimizer": optimizer, "max_samples": max_samples, "random_state": random_state}
    allowed = {"optimizer": resolved_by(optimizer_kind), "max_samples": integer(2)}
    allowed["random_state"] = resolved_by(check_random_state)
    check_parameters("diagnose", given, allowed)
    if not has_targets(X, y):
        refuse("diagnose", ["y=None is not allowed (the targets of the loss)"])
    seed = resolve_seed(random_state)
    found = get_model(model, X, y)
    X, y = draw_samples(*first_batch(found.module, X, y), max_samples, seed)
    kind = optimizer_kind(getattr(found.net, "optimizer_", None) if optimizer is None else optimizer)
    measurements = take_measurements(found, X, y, seed, with_weights=True)
    try:
        recommendation = recommend_initializer(found, X)
        recommended = take_measurements(reinitialized(found, "auto", seed, X), X, y, seed)
    except InitskError:
        return Diagnosis(measurements, kind)
    return Diagnosis(measurements, kind, recommendation, recommended)
