"""The training that a diagnosis is about: network, samples, loss, optimizer, budget and target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from math import ceil, isfinite
from typing import Any

from torch import nn

from initsk.diagnosis._clock import Clock
from initsk.diagnosis._depth_budget import DepthBudget, depth_budget
from initsk.diagnosis._ends import find_at_ends
from initsk.diagnosis._features import Question, TrialValues, features_at_start
from initsk.diagnosis._fit_schedule import FitSchedule, schedule_of_fit
from initsk.diagnosis._measurements import Measurements, measure_coherence, measure_layers
from initsk.diagnosis._objective import Objective, baseline_loss, gives_loss, loss_of_inputs
from initsk.diagnosis._optimizers import OptimizerPlan
from initsk.diagnosis._options import BUDGET, DEFAULTS
from initsk.diagnosis._samples import BATCH_SIZE, Samples, draw_batches
from initsk.diagnosis._score import REACHED, ScoreModel, load_model
from initsk.diagnosis._trial import Trial, run_trial
from initsk.diagnosis._unreached import Unreached, unreached_layers
from initsk.exceptions import InitskError, InvalidParameterError
from initsk.initialization import initialize
from initsk.initializers import InitializerLike
from initsk.inspection import GradientCoherence
from initsk.network import (
    Batch,
    Model,
    NetworkGraph,
    borrowed,
    copy_of_module,
    has_targets,
    loss_function,
    name_of_loss,
    preserve_state,
    read,
)
from initsk.utils.cached import cached_property
from initsk.utils.global_state import one_at_a_time
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import refuse

# A trial goes on while the score is between these bounds, to so many times as many steps.
_UNCERTAIN = (0.05, 0.95)
_LONGER = 4
#: The optimizer of a plain module where none is given.
_OPTIMIZER = "adam"


def _works(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a setup run on its clock, and as outside of all contexts of torch."""

    @one_at_a_time
    @wraps(method)
    def run(self: "TrainingSetup", *args: Any, **options: Any) -> Any:
        with self.clock.running(), outside_of_contexts(self.model.module):
            return method(self, *args, **options)

    return run


@dataclass(frozen=True)
class TrainingSetup:
    """A network at its start, and how it is to be trained.

    Parameters
    ----------
    model : Model
        With a copy of the network, which stays as it is.
    samples : Samples
        The batches of the trial.
    objective : Objective
    plan : OptimizerPlan
        For copies of the module in `model`.
    budget : int
        Steps of the training.
    target : float
        Loss relative to the baseline loss at which training has succeeded.
    trial_steps, max_samples : int
    seed : int
    clock : Clock
        The time that is left for the diagnosis.
    """

    model: Model
    samples: Samples
    objective: Objective
    plan: OptimizerPlan
    budget: int
    target: float
    trial_steps: int
    max_samples: int
    seed: int
    clock: Clock = field(default_factory=Clock)

    @cached_property
    def _all_batches(self) -> list[Batch]:
        return self.samples.first(self.max_samples)

    @property
    def batches(self) -> list[Batch]:
        """The batches for static measurements: those that there is time for."""
        return self._all_batches[: self.clock.n_batches]

    @cached_property
    def baseline_loss(self) -> float:
        """Loss of the best constant prediction."""
        module = self.model.module
        with preserve_state(module, training=False, gradients=False, seed=self.seed):
            found = baseline_loss(self.objective, module, self.batches, self.samples.targets)
        # Targets that are all equal are refused before.
        if found <= 0 and self.model.encoder is not None:
            raise InvalidParameterError(
                "the targets are all equal in the unit of the targets that the estimator was fitted to: it was fitted"
                " to targets of another scale (allowed: targets in the same unit; or sklearn.base.clone(estimator),"
                " which is built for these targets)"
            )
        if found <= 0:
            raise InvalidParameterError(
                f"the loss of the best constant prediction is {found:.4g}, so no target can be relative to it"
                " (allowed: a loss that is positive for constant predictions)"
            )
        return found

    @cached_property
    def data_give_a_loss(self) -> bool:
        """Whether the loss of samples with NaN or infinite values, if there are any, is finite."""
        if self.samples.make_nonfinite is None:
            return True
        module, batch = self.model.module, self.samples.make_nonfinite(slice(1))
        with preserve_state(module, training=False, gradients=False, seed=self.seed):
            return bool(self.objective.loss(batch.run(module), batch.target, batch.data).isfinite())

    @property
    def first_steps(self) -> int:
        """Steps after which a trial may end; all trials take them, unless they diverge or the time is up."""
        return min(self.trial_steps, self.budget)

    def described(self) -> dict[str, Any]:
        """Return the settings of the trial for a report: optimizer, rate, steps, batch size, seed and loss."""
        loss = name_of_loss(self.model.net, self.objective.criterion, self.samples.targets[0])
        return {
            "batch_size": next(self.samples.cycle(1)).n_samples, "optimizer": self.plan.kind.__name__,
            "lr": self.plan.rate(), "criterion": loss, "random_state": self.seed,
        }  # fmt: skip

    def question(self, lr: float | None = None) -> Question:
        """Return what the score is the probability of, at the given learning rate."""
        rate = self.plan.rate() if lr is None else lr
        return Question(self.budget, self.target, self.plan.is_adaptive, rate)

    @_works
    def measure(self, *, with_weights: bool = False) -> Measurements:
        """Return the static measurements."""
        summary = measure_layers(
            self.model, self.clock.measured(self.batches), self.objective, self.seed, with_weights=with_weights
        )
        of_inputs = loss_of_inputs(self.objective, self.model.module, self.batches, self.seed)
        found = Measurements(summary, self.coherence(), self.baseline_loss, of_inputs)
        graph = self._graph() if with_weights else None
        if graph is None:
            return found
        batch, target = self.batches[0], self.samples.targets[0]
        ends = find_at_ends(self.model, graph, self.objective, batch, target, self.seed)
        return replace(found, depth=depth_budget(self.model.module, graph), of_ends=tuple(ends))

    @_works
    def depth(self) -> DepthBudget | None:
        """Return the depth relative to the depth scales of mean field theory, None if the network has none."""
        graph = self._graph()
        return None if graph is None else depth_budget(self.model.module, graph)

    def _graph(self) -> NetworkGraph | None:
        """Return the reading of the network, None if it cannot be read."""
        try:
            return read(self.model.module, self.batches[0])
        except InitskError:
            return None

    @_works
    def coherence(self, module: nn.Module | None = None) -> GradientCoherence:
        """Return size and agreement of the gradients at the start, or those of a copy of the network."""
        with self.clock.of_gradients_running():
            module = self.model.module if module is None else module
            return measure_coherence(module, self.batches, self.objective, self.seed)

    def outcome(self, before: GradientCoherence | None = None) -> "Outcome":
        """Return the outcome of the trial, or of the estimate if there are no trial steps.

        The gradients at the start are measured if they are not given.
        """
        before = self.coherence() if before is None else before
        return self.run(before) if self.trial_steps else self._estimate(before)

    @_works
    def unreached(self, trial: Trial) -> list[Unreached]:
        """Return the layers that got no gradient in a trial, and those that the optimizer does not have."""
        left_out = self.plan.left_out()
        if not trial.unreached or self.clock.left <= 0:
            return left_out
        found = unreached_layers(self.model.module, trial.unreached, self.batches[0], self.objective, self.seed)
        return [*found, *left_out]

    @_works
    def run(self, before: GradientCoherence, lr: float | None = None) -> "Outcome":
        """Carry out the trial, at another learning rate if one is given.

        If the score is uncertain, the trial goes on.

        Parameters
        ----------
        before : GradientCoherence
            Measured at the start.
        lr : float, optional
        """
        plan = self.plan if lr is None else replace(self.plan, lr=lr)
        outcomes: list[Outcome] = []

        def ends(trial: Trial, module: nn.Module) -> bool:
            after, values = self.measure_trial(trial, module, before)
            features = values.features(self.question(trial.lr))
            found = Outcome(trial, features, load_model("trial"), after, module, self.starts(before))
            outcomes.append(found)
            return not _UNCERTAIN[0] < found.score < _UNCERTAIN[1]

        shortest = self.first_steps
        longest = min(_LONGER * self.trial_steps, self.budget // 2)
        self.try_steps(plan, sorted({shortest, max(longest, shortest)}), ends)
        return outcomes[-1]

    @_works
    def try_steps(self, plan: OptimizerPlan, lengths: Sequence[int], ends: Callable[[Trial, nn.Module], bool]) -> None:
        """Take the steps of a trial; see `run_trial`."""
        run_trial(
            self.model.module, self.samples, self.objective, plan, lengths=lengths, ends=ends, seed=self.seed,
            time_limit=max(self.clock.left - self.clock.of_gradients, 0.0),
        )  # fmt: skip

    def measure_trial(
        self, trial: Trial, module: nn.Module, before: GradientCoherence
    ) -> tuple[GradientCoherence | None, TrialValues]:
        """Return the gradients after a trial (None if it diverged), and the values that features are made of."""
        diverged = trial.status == "diverged"
        after = None if diverged else self.coherence(module)
        return after, TrialValues.of(trial, self.baseline_loss, before, after)

    def starts(self, before: GradientCoherence) -> bool:
        """Return whether the loss at the start is finite, also for samples that are not."""
        return isfinite(before.loss) and self.data_give_a_loss

    def _estimate(self, before: GradientCoherence) -> "Outcome":
        """Return the outcome without a trial."""
        features = features_at_start(self.question(), self.baseline_loss, before)
        return Outcome(None, features, load_model("static"), None, None, self.starts(before))

    @_works
    def reinitialized(self, initializer: InitializerLike) -> "TrainingSetup":
        """Return the setup with a copy of the network that has another initialization."""
        memo: dict[int, Any] = {}
        module = copy_of_module(self.model.module, memo)
        initialize(module, initializer, X=self.batches[0].copied(), random_state=self.seed)
        return replace(
            self,
            model=replace(self.model, module=module),
            plan=self.plan.moved(module),
            objective=self.objective.copied(memo),
        )


@dataclass(frozen=True)
class Outcome:
    """The result of a trial, or of the estimate without one.

    Parameters
    ----------
    trial : Trial or None
    features : dict of str to float
    score_model : ScoreModel
    after : GradientCoherence or None
        Measured after the trial.
    module : torch.nn.Module or None
        The copy of the network after the trial.
    starts : bool
        Whether the loss at the start is finite, also for samples that are not.
    """

    trial: Trial | None
    features: Mapping[str, float]
    score_model: ScoreModel
    after: GradientCoherence | None
    module: nn.Module | None
    starts: bool

    def without_module(self) -> "Outcome":
        """Return the outcome without the copy of the network, which takes memory."""
        return replace(self, module=None)

    @property
    def score(self) -> float:
        """The probability that training succeeds; 0 after a loss that is not finite."""
        if not self.starts or (self.trial is not None and self.trial.status == "diverged"):
            return 0.0
        score = self.score_model.probability(self.features)
        return max(score, REACHED) if self.reached else score

    @property
    def reached(self) -> bool:
        """Whether the loss of the trial's last steps, and of the measured samples, is below the target already."""
        return self.trial is not None and max(self.features["loss"], self.features["loss of all samples"]) < 0


def set_up(owner: str, found: Model, X: Any, y: Any, options: Mapping[str, Any], seed: int) -> TrainingSetup:
    """Return the setup for checked options of `diagnose`; those that are missing have their defaults.

    Raises
    ------
    InvalidParameterError
        If X and y do not fit each other, or the optimizer does not fit the network.
    """
    options = DEFAULTS | dict(options)
    clock = Clock(options["time_limit"])
    with clock.running(), outside_of_contexts(found.module):
        return _set_up(owner, found, X, y, options, seed, clock)


def _set_up(
    owner: str, found: Model, X: Any, y: Any, options: Mapping[str, Any], seed: int, clock: Clock
) -> TrainingSetup:
    if isinstance(X, list) and y is None and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in X):
        X = iter(X)
    is_given = options["batch_size"] and options["budget"]
    schedule = FitSchedule() if is_given else schedule_of_fit(found, X, y)
    trial_steps, max_samples = options["trial_steps"], options["max_samples"]
    batch_size = options["batch_size"] or schedule.batch_size
    numbers = [
        max(steps, ceil(max_samples / (batch_size or BATCH_SIZE))) for steps in (_LONGER * trial_steps, trial_steps)
    ]
    memo: dict[int, Any] = {}
    module = copy_of_module(found.module, memo)
    model = replace(found, module=module)
    samples = draw_batches(
        model, X, y, n_batches=numbers[0], n_of_stream=numbers[1], n_measured=max_samples, batch_size=batch_size,
        seed=seed
    )  # fmt: skip
    choice = options["optimizer"]
    if choice is None:
        choice = getattr(found.net, "optimizer_", None) or _OPTIMIZER
    plan = OptimizerPlan(choice, found.module, options["lr"]).moved(module)
    plan.rate()  # raises before the first pass if the optimizer has none
    objective = Objective(_loss_functions(options["criterion"]), options["output"], found.net).copied(memo)
    if not has_targets(X, y) and options["criterion"] is None and not gives_loss(module, samples.first(1)[0], seed):
        refuse(owner, ["y=None is not allowed (the targets of the loss, criterion=, or an output with a loss)"])
    budget = options["budget"] or schedule.n_steps or BUDGET
    target = options["target"]
    return TrainingSetup(model, samples, objective, plan, budget, target, trial_steps, max_samples, seed, clock)


def measure_trials(
    model: Any, X: Any, y: Any, lengths: Sequence[int], *, random_state: int = 0, **options: Any
) -> list[tuple[Question, TrialValues, float]]:
    """Return what trials of several lengths measure, without a score: for fitting the model of the score.

    Parameters
    ----------
    model, X, y
        As in `diagnose`.
    lengths : sequence of int
        Numbers of steps.
    random_state : int, default=0
    **options
        Options of `diagnose`.

    Returns
    -------
    list of tuple
        For each length the question (with budget and target of the options), the values, and the baseline loss.
    """
    with borrowed(model, X, y) as found:
        setup = set_up("measure_trials", found, X, y, options | {"trial_steps": max(lengths)}, random_state)
    before, measured = setup.coherence(), []

    def ends(trial: Trial, module: nn.Module) -> bool:
        _, values = setup.measure_trial(trial, module, before)
        measured.append((setup.question(), values, setup.baseline_loss))
        return False

    setup.try_steps(setup.plan, sorted(lengths), ends)
    return measured


def _loss_functions(criterion: Any) -> Any:
    """Return the loss function of a criterion, or of each head; None stays."""
    if isinstance(criterion, Mapping):
        return {name: loss_function(part) for name, part in criterion.items()}
    return None if criterion is None else loss_function(criterion)
