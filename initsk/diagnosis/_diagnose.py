"""Whether a network will train, before it is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log, nan
from typing import Any

import numpy as np
import pandas as pd
import torch

from initsk.diagnosis._depth_budget import DepthBudget
from initsk.diagnosis._find import find
from initsk.diagnosis._learning_rates import (
    RateRange,
    further_rates,
    range_of,
    rates_around,
    rates_frame,
    rates_outward,
)
from initsk.diagnosis._measurements import Measurements
from initsk.diagnosis._objective import OutputPicker
from initsk.diagnosis._optimizers import OptimizerChoice
from initsk.diagnosis._recommend import Recommendation, recommend
from initsk.diagnosis._score import contributions_frame
from initsk.diagnosis._setup import (
    MAX_SAMPLES,
    TARGET,
    TRIAL_STEPS,
    Outcome,
    TrainingSetup,
    check_options,
    set_up,
)
from initsk.diagnosis._trial import TRIAL_COLUMNS
from initsk.diagnosis._unreached import Unreached
from initsk.exceptions import InitskError
from initsk.inspection import ActivationSummary, findings_frame
from initsk.network import Criterion, get_model
from initsk.utils.random import RandomState, resolve_seed
from initsk.utils.results import Reported
from initsk.utils.validation import check_parameters, real, sequence_of

# How often more learning rates are tried at the ends of a range.
_MAX_EXTENSIONS = 2


@dataclass(repr=False, eq=False)
class Diagnosis(Reported):
    """Whether a network will train, and what prevents it; made by `diagnose`.

    The diagnosis keeps a copy of the network at its start, so that `learning_rates` and `recommended_score` do not
    depend on what happens to the network later.

    Parameters
    ----------
    setup : TrainingSetup
        The network at its start, and how it is to be trained.
    measurements : Measurements
        Values measured at the start.
    outcome : Outcome
        The trial and what the score is made of.

    Attributes
    ----------
    score : float
        Estimated probability, from 0 to 1, that the loss is below `target` times the baseline loss after `budget`
        steps.
    will_train : bool
        Whether the score is at least 0.5.
    lr : float
        Learning rate of the training.
    budget : int
        Steps of the training.
    target : float
        Loss, relative to the baseline loss, at which training has succeeded.
    trial : DataFrame
        A row per step of the trial: ``step``, ``loss``, ``gradient_norm``, ``update_ratio``; empty without a trial.
    recommendation : Recommendation or None
        Initializers that suit the network; None if it cannot be read.
    recommended_score : float
        The score of a copy with the recommended initializers, measured on first use; NaN without a recommendation, or
        if the time is up.
    loss, baseline_loss : float
        Loss at the start, and loss of the best constant prediction (NaN for a loss that is not known).
    depth : DepthBudget or None
        Depth relative to the depth scales of mean field theory, for a plain chain of layers.
    inspection : ActivationSummary
        Statistics of every layer at the start.
    exit_code : int
        0 if `will_train`, otherwise 1: the exit code of ``initsk diagnose``.
    """

    setup: TrainingSetup
    measurements: Measurements
    outcome: Outcome

    def __repr__(self) -> str:
        return f"Diagnosis(score={self.score:.2f}, will_train={self.will_train}; see findings())"

    def __str__(self) -> str:
        return self.answer()

    @property
    def score(self) -> float:
        """Estimated probability that training succeeds."""
        return self.outcome.score

    @property
    def will_train(self) -> bool:
        """Whether the score is at least 0.5."""
        return self.score >= 0.5

    @property
    def exit_code(self) -> int:
        """0 if `will_train`, otherwise 1."""
        return 0 if self.will_train else 1

    @property
    def lr(self) -> float:
        """Learning rate of the training."""
        return self.setup.plan.rate()

    @property
    def optimizer(self) -> str:
        """Name of the optimizer's class."""
        return self.setup.plan.kind.__name__

    @property
    def is_adaptive(self) -> bool:
        """Whether the optimizer is Adam or similar."""
        return self.setup.plan.is_adaptive

    @property
    def budget(self) -> int:
        """Steps of the training."""
        return self.setup.budget

    @property
    def target(self) -> float:
        """Loss, relative to the baseline loss, at which training has succeeded."""
        return self.setup.target

    @property
    def inspection(self) -> ActivationSummary:
        """Statistics of every layer at the start."""
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
        return self.setup.baseline_loss

    @property
    def trial(self) -> pd.DataFrame:
        """A row per step of the trial."""
        if self.outcome.trial is None:
            return pd.DataFrame(columns=list(TRIAL_COLUMNS)).astype("float64")
        return self.outcome.trial.to_frame()

    @property
    def trial_status(self) -> str:
        """How the trial ended: "finished", "diverged", "time" (it was up), or "none"."""
        return "none" if self.outcome.trial is None else self.outcome.trial.status

    @property
    def is_time_up(self) -> bool:
        """Whether `time_limit` is used up; never without a limit."""
        return self.setup.clock.left <= 0

    @cached_property
    def after_trial(self) -> Measurements | None:
        """Values measured after the trial; None without one, if it diverged, or if the time is up."""
        if self.outcome.module is None or self.outcome.after is None or self.is_time_up:
            return None
        model = replace(self.setup.model, module=self.outcome.module)
        return replace(self.setup, model=model).measure()

    @cached_property
    def unreached(self) -> list[Unreached]:
        """Layers that got no gradient in the trial."""
        return [] if self.outcome.trial is None else self.setup.unreached(self.outcome.trial)

    @cached_property
    def recommendation(self) -> Recommendation | None:
        """Initializers that suit the network."""
        try:
            return recommend(self.setup)
        except InitskError:
            return None

    @cached_property
    def recommended_score(self) -> float:
        """The score of a copy with the recommended initializers."""
        if self.is_time_up:
            return nan
        try:
            return self.setup.reinitialized("auto").outcome().score
        except InitskError:
            return nan

    def findings(self) -> pd.DataFrame:
        """Return a row for each finding; those that keep the network from training come first.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Returns
        -------
        DataFrame
            ``layer`` ("" for the whole network), ``kind``, ``value``, ``threshold`` (float64), ``decides`` (whether
            the finding keeps the network from training; never if the score is at least 0.5), ``of``,
            ``relative_to``; see `ActivationSummary.findings`.
        """
        kind = "adaptive" if self.is_adaptive else "gradient"
        samples = self.setup.samples
        return findings_frame(find(self.measurements, kind, self.outcome, self.after_trial, samples, self.unreached))

    def contributions(self) -> pd.DataFrame:
        """Return what the score is made of: a row per feature, the largest contributions first.

        Returns
        -------
        DataFrame
            ``feature``; ``value`` (losses are natural logarithms relative to the baseline or the target, sizes are
            decimal logarithms); ``contribution`` to the log-odds of success (float64).
        """
        return contributions_frame(self.outcome.score_model, self.outcome.features)

    def learning_rates(self, rates: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the scores of trials at several learning rates.

        A network that trains at another rate is told from one that trains at none.

        Parameters
        ----------
        rates : sequence of float, optional
            By default nine rates, from a hundredth to a hundred times `lr`; if none works, further ones as long as the
            steps are too large or too small; and up to eight more at the ends, where the range that works may go on.

        Returns
        -------
        DataFrame
            A row per rate that was tried: ``lr``, ``score``, ``loss`` (the mean of the last quarter of the trial's
            steps; infinite if it diverged), ``relative_loss`` (to the baseline), ``status``, ``works`` (whether the
            score is at least 0.5).

        Raises
        ------
        InvalidParameterError
            If `rates` is no list of positive numbers.
        """
        if rates is not None:
            given = rates.tolist() if isinstance(rates, np.ndarray | torch.Tensor | pd.Series) else rates
            allowed = sequence_of(real(above=0), "a list of numbers > 0, at least one")
            check_parameters("learning_rates", {"rates": given or None}, {"rates": allowed})
            return self._at_rates(given)
        tried = rates_around(self.lr)
        frame = self._at_rates(tried)
        while more := [] if self.is_time_up else rates_outward({rate: self._outcomes[rate] for rate in frame["lr"]}):
            tried += more
            frame = self._at_rates(tried)
        for _ in range(_MAX_EXTENSIONS):
            tried += further_rates(self._at_rates(tried))
        return self._at_rates(tried)

    @cached_property
    def _outcomes(self) -> dict[float, Outcome]:
        """The outcome at each learning rate that was tried."""
        return {} if self.outcome.trial is None else {self.lr: self.outcome}

    def _at_rates(self, rates: Sequence[float]) -> pd.DataFrame:
        """Return the frame of some rates; a trial at each rate is carried out once."""
        known = self._outcomes
        # A diagnosis without a trial has none at its own rate either.
        setup = replace(self.setup, trial_steps=self.setup.trial_steps or TRIAL_STEPS)
        # The nearest rates first, for the case that the time is up before all are tried.
        for rate in sorted(set(rates) - known.keys(), key=lambda rate: abs(log(rate / self.lr))):
            if not known or not self.is_time_up:
                known[rate] = setup.run(self.measurements.coherence, rate).without_module()
        return rates_frame({rate: known[rate] for rate in sorted(set(rates) & known.keys())}, self.baseline_loss)

    @cached_property
    def rate_range(self) -> RateRange:
        """The range of learning rates at which the network would train, from the default `learning_rates`."""
        return range_of(self.learning_rates(), self.lr)


def diagnose(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    optimizer: OptimizerChoice | None = None,
    lr: float | None = None,
    criterion: Criterion | Mapping[str, Criterion] | None = None,
    output: OutputPicker = None,
    budget: int | None = None,
    target: float = TARGET,
    trial_steps: int = TRIAL_STEPS,
    batch_size: int | None = None,
    max_samples: int = MAX_SAMPLES,
    time_limit: float | None = None,
    random_state: RandomState = 0,
) -> Diagnosis:
    """Estimate whether a network will train, from a trial of a few steps on a copy.

    The model does not change: neither its parameters, buffers and modes, nor the optimizer, nor any random state. The
    score is a calibrated probability, fitted to trained networks of six families by ``benchmarks/trainability``, which
    also tests it on each family with a fit to the others.

    Findings of these kinds decide if the score is below 0.5:

    - *non-finite*: values of X or y, of layers, of gradients or of the loss are NaN or infinite; if X or y has such
      values, the finding names them, and there are no other findings;
    - *cut off*: a layer gets no gradient, although the loss depends on it;
    - *symmetric*: units of a layer are copies of one another, and so are their gradients;
    - *small gradient*, *large gradient*: the gradient that distinguishes samples, `GradientCoherence.size`, is too
      small or too large;
    - *incoherent*: the gradients of two halves of the samples do not agree, `GradientCoherence.agreement`;
    - *disproportionate*: the gradients of a layer are far smaller than those of the last hidden layer;
    - *overconfident*: the loss at the start is far above the baseline loss;
    - *diverging*, *not learning*: after the trial, the loss is above that of the start, or not below the baseline loss;
    - *small steps*, *large steps*: an update is very small or very large, relative to the weight;
    - *unlikely*: the score is low, and no other value explains it.

    The other kinds only inform: findings in single layers, as in `ActivationSummary.findings`; *died*, units that the
    trial has killed; *unused*, layers that the loss does not depend on; *unscaled targets*, numbers to predict that are
    far from standardized; and *too deep*, more layers than six depth scales of `initsk.theory.MeanField`.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; an unfitted estimator is diagnosed at its initial weights.
    X, y : array-like
        Samples and targets, at least 20, in any form that `inspect_activations` takes. Of a stream, its first batches
        are taken. Data without rows, such as a graph, are the batch of every step.
    optimizer : str, torch optimizer, its class, callable or None, default=None
        Optimizer of the training: "adam", "adamw", "rmsprop" or "sgd"; a class; a function of a list of parameters,
        such as ``partial(torch.optim.SGD, lr=0.1, momentum=0.9)``; or an optimizer of the model, whose settings and
        state are copied. None takes that of the estimator, and Adam for a plain module.
    lr : float, optional
        Learning rate; None takes that of the optimizer.
    criterion : callable or dict of str to callable, optional
        Function of ``(output, y)`` that returns the mean loss, or one for each named head of the output; their sum is
        the loss. By default the output's own ``loss``, the estimator's criterion, or the one that suits the targets;
        see `initsk.network.loss_of`.
    output : str, int or callable, optional
        The part of the module's output that counts: a name, an index, or a function of the output.
    budget : int, optional
        Number of steps that the training may take; None takes those of the estimator, and 500 for a plain module.
    target : float, default=0.8
        Loss in evaluation, relative to the baseline loss, below which training has succeeded.
    trial_steps : int, default=32
        Steps of the trial. If the score is uncertain after them (between 0.05 and 0.95), the trial goes on to four
        times as many steps, but at most to half of the budget. With 0 the score comes from the gradients at the start
        alone, and is less certain.
    batch_size : int, optional
        Samples in a batch; None takes that of the estimator, and 64 for a plain module. A stream has its own.
    max_samples : int, default=512
        Largest number of samples for the values at the start, in whole batches: the memory is that
        of a training step.
    time_limit : float, optional
        Seconds for the whole diagnosis: values at the start, trial, and what is measured on first use
        (`learning_rates`, `recommended_score`, values after the trial); time between calls does not count. When it is
        up, no further pass begins, learning rates that were not tried have no row, and values that were not
        measured are missing. The limit is exceeded by at most what has begun: a step, the gradients of the measured
        samples, or a copy with other initializers. The smallest diagnosis, two batches measured before and after one
        step, is made at any rate.
    random_state : int, RandomState or Generator, default=0
        Seed of the choice of samples, of what the module draws, and of the recommended initializers.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, X is not made of numbers, X and y differ in length, there are fewer than 20
        samples, or all targets are alike.
    ModuleError
        If the model has no module whose layers can be read, or output, targets and loss do not fit each other.

    Notes
    -----
    A schedule of the learning rate, gradient clipping and augmentation of the data are not part of the trial. For a
    training with a warmup, give the rate of the warmup's first steps as well as the final one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, diagnose
    >>> X, y = load_digits(return_X_y=True)
    >>> diagnosis = diagnose(MLPClassifier((32, 32), initializer="zeros"), X / 16, y)
    >>> diagnosis.will_train, "symmetric" in diagnosis.findings()["kind"].tolist()
    (False, True)
    >>> diagnose(MLPClassifier((32, 32), initializer="he_normal", random_state=0), X / 16, y).will_train
    True
    """
    options = {
        "optimizer": optimizer, "lr": lr, "criterion": criterion, "output": output, "budget": budget, "target": target,
        "trial_steps": trial_steps, "batch_size": batch_size, "max_samples": max_samples, "time_limit": time_limit,
        "random_state": random_state,
    }  # fmt: skip
    check_options("diagnose", options)
    seed = resolve_seed(random_state)
    setup = set_up("diagnose", get_model(model, X, y), X, y, options, seed)
    measurements = setup.measure(with_weights=True)
    return Diagnosis(setup, measurements, setup.outcome(measurements.coherence))
