"""The subject of an audit: a network with its reading, its parameters, and a batch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from initsk.diagnosis._nonfinite import NonFinite, nonfinite_arrays
from initsk.exceptions import InvalidParameterError, ModuleError
from initsk.initialization import choices_for
from initsk.initializers import INITIALIZER_PARAMS, Initializer, get_initializer
from initsk.inspection import Finding, threshold_of
from initsk.network import (
    Batch,
    BatchConverter,
    Model,
    NetworkGraph,
    Operation,
    PaddingMask,
    PlannedParameter,
    count_samples,
    first_batch,
    is_mask,
    local_values,
    map_arrays,
    preserve_state,
    read,
    run_module,
    scores_of,
    take_rows,
    to_array,
    untrained_norms,
)
from initsk.utils.cached import cached_property
from initsk.utils.reason import Reason
from initsk.utils.torch_settings import as_tensor, measurable, real_parts

#: Why differences between scores are not measured in half precision.
ROUNDED = Reason("rounding in half precision hides small differences")


class NotChecked(NamedTuple):
    """A check that could not be made, and why."""

    check: str
    why: str


CheckResult = Finding | NotChecked


class NoScoresError(ModuleError):
    """The output of a network has no scores."""


class ScoresInTurn(NamedTuple):
    """The scores of forward passes that follow one another, and whether they change buffers, numbers or flags."""

    scores: list[torch.Tensor]
    changes_state: bool


class Flagged(NamedTuple):
    """A value of a check, before it is compared with the threshold; the fields are those of `Finding`."""

    layer: str
    kind: str
    value: float
    of: str
    decides: bool = True
    relative_to: str = ""
    what: str = ""

    def findings(self) -> Iterator[Finding]:
        """Yield the finding if the value is beyond the threshold of its kind."""
        threshold = threshold_of(self.kind)
        if threshold.flags(self.value):
            yield Finding(**self._asdict(), threshold=threshold.value)


@dataclass(frozen=True)
class Subject:
    """A network that is audited.

    Attributes
    ----------
    model : Model
        The network, with its estimator's net if there is one.
    graph : NetworkGraph
        Its reading; without operations if no input is known.
    plan : tuple of PlannedParameter
        Its parameters; those with deliberate values have the reason.
    batch : Batch or None
        The samples; None without X.
    seed : int
        Seed of what the network draws.
    nonfinite : list of NonFinite
        The arrays with values that are not finite, over all samples and not only those of the batch.
    """

    model: Model
    graph: NetworkGraph
    plan: tuple[PlannedParameter, ...]
    batch: Batch | None
    seed: int
    nonfinite: list[NonFinite]

    @cached_property
    def arguments(self) -> Any:
        """The arguments of the batch: a tuple or, by name, a dictionary."""
        assert self.batch is not None
        return self.batch.inputs or self.batch.keywords

    @cached_property
    def n_samples(self) -> int | None:
        """Number of samples; None without samples, and for data that have no rows, such as graphs."""
        return None if self.batch is None else count_samples(self.arguments)

    @cached_property
    def weights(self) -> list[PlannedParameter]:
        """The weights that initializers fill; frozen ones are not among them."""
        return [
            planned
            for planned in self.plan
            if planned.role == "weight" and planned.specs and planned.specs[0].is_known and not planned.is_normalization
        ]

    @cached_property
    def untrained_norms(self) -> list[Any]:
        """The batch normalizations that have seen no batch: their running moments say nothing about the signals."""
        return untrained_norms(self.model.module)

    @cached_property
    def is_half(self) -> bool:
        """Whether the network computes in less than single precision."""
        types = {parameter.dtype for parameter in self.model.module.parameters() if parameter.is_floating_point()}
        return any(torch.finfo(dtype).eps > torch.finfo(torch.float32).eps for dtype in types)

    @property
    def initializers(self) -> list[Initializer]:
        """The initializers of the estimator, with their parts; none of a plain module."""
        given = [getattr(self.model.net, name, None) for name in INITIALIZER_PARAMS]
        found = [get_initializer(one) for one in given if one is not None]
        for initializer in found:
            found += initializer.parts()
        return found

    def users_of(self, planned: PlannedParameter) -> list[Operation]:
        """Return the operations that multiply by a parameter or look its rows up."""
        names = dict.fromkeys((planned.name, *planned.aliases, *planned.parameters))
        uses = [found for name in names for found in self.graph.uses.get(name, ())]
        return [operation for operation, use in uses if use.how in ("multiplies", "looked up", "recurrent")]

    def scores(self, arguments: Any = None, *, batch_moments: bool = False) -> torch.Tensor:
        """Return the scores of one forward pass in evaluation mode, as real numbers.

        Parameters
        ----------
        arguments : tuple or dict, optional
            The arguments; by default those of the batch.
        batch_moments : bool, default=False
            Whether untrained batch normalization uses the moments of the batch.
        """
        given = self.arguments if arguments is None else arguments
        return self.scores_in_turn([given], self.seed, batch_moments=batch_moments).scores[0]

    def scores_in_turn(self, given: Iterable[Any], seed: int, *, batch_moments: bool = False) -> ScoresInTurn:
        """Return the scores of forward passes that follow one another: each finds the state that the last one left.

        Parameters
        ----------
        given : iterable of tuple or dict
            The arguments of each forward pass.
        seed : int
            Seed of what the network draws.
        batch_moments : bool, default=False
            Whether untrained batch normalization uses the moments of the batch.
        """
        module = self.model.module
        with preserve_state(module, training=False, gradients=False, seed=seed):
            for part in self.untrained_norms if batch_moments else ():
                part.training = True
            before = _state_of(module)
            scores = [self._scores_of(arguments) for arguments in given]
            changed = [not torch.equal(*pair) for pair in zip(before, _state_of(module), strict=False)]
            return ScoresInTurn(scores, any(changed))

    def _scores_of(self, arguments: Any) -> torch.Tensor:
        # A module that works in place overwrites its input.
        given = map_arrays(lambda _, part: part.clone() if isinstance(part, torch.Tensor) else part, arguments)
        inputs, keywords = ((), given) if isinstance(given, dict) else (given, {})
        output = run_module(self.model.module, inputs, keywords)
        try:
            scores = scores_of(output)
        except ModuleError as error:
            raise NoScoresError(str(error)) from error
        return real_parts(scores.detach().clone())


def _state_of(module: torch.nn.Module) -> list[torch.Tensor]:
    """Return copies of the buffers, and of the numbers and flags that the parts hold."""
    plain = (value for part in module.modules() for value in vars(part).values())
    numbers = [float(value) for value in plain if isinstance(value, bool | int | float)]
    buffers = (buffer for buffer in module.buffers() if buffer.layout is torch.strided)
    return [torch.tensor(numbers), *(buffer.clone() for buffer in buffers)]


def make_subject(model: Model, X: Any, padding_mask: PaddingMask, max_samples: int, seed: int) -> Subject:
    """Return what an audit looks at; of X, at most `max_samples` rows are drawn."""
    batch, nonfinite = (None, []) if X is None else _draw(model, X, padding_mask, max_samples, seed)
    graph = read(model.module, batch)
    plan = tuple(planned for planned, _ in choices_for(model.module, "he_normal", graph))
    return Subject(model, graph, plan, batch, seed, nonfinite)


def _draw(
    model: Model, X: Any, padding_mask: PaddingMask, max_samples: int, seed: int
) -> tuple[Batch, list[NonFinite]]:
    X, _ = first_batch(model.module, model.prepared(X))
    nonfinite = _nonfinite(X)
    X = map_arrays(to_array, X)
    n_given = count_samples(X)
    if n_given is not None and padding_mask is not None and not callable(padding_mask):
        padding_mask = as_tensor(to_array("padding_mask", padding_mask))
        if len(padding_mask) != n_given:
            numbers = f"the number of rows of padding_mask is {len(padding_mask)}, and that of X is {n_given}"
            raise InvalidParameterError(f"audit: {numbers} (allowed: the same number)")
    if n_given is not None and n_given > max_samples:
        rows = np.sort(np.random.default_rng(seed).permutation(n_given)[:max_samples])
        X = take_rows(X, rows, n_given)
        if padding_mask is not None and not callable(padding_mask):
            padding_mask = padding_mask[torch.from_numpy(rows)]
    batch = BatchConverter(model.module, casts=model.casts).convert(X, None, padding_mask)
    if n_given == 0:
        raise ModuleError("X has no samples: there is nothing to audit")
    return batch, nonfinite


def _nonfinite(X: Any) -> list[NonFinite]:
    # Masks that are added to scores are infinite on purpose.
    return nonfinite_arrays([(map_arrays(lambda name, part: () if is_mask(name) else part, X), None)])


def values_of(planned: PlannedParameter) -> torch.Tensor:
    """Return the values of a parameter as real numbers; of a sharded one, those of this process."""
    return real_parts(local_values(planned.tensor).detach())


def label_of(planned: PlannedParameter) -> str:
    """Return the name of a layer, or that of a parameter which is not the layer's weight."""
    layer, _, attribute = planned.name.rpartition(".")
    return layer if layer and attribute == "weight" else planned.name


def not_checked(checks: Sequence[str], reason: Reason) -> Iterator[NotChecked]:
    """Yield a row for each check that could not be made."""
    yield from (NotChecked(check, reason) for check in checks)


def root_mean_square(values: torch.Tensor) -> float:
    """Return the root mean square of values, summed in double precision."""
    return float(torch.linalg.vector_norm(measurable(values), dtype=torch.float64)) / max(values.numel(), 1) ** 0.5


def spread_of(scores: torch.Tensor) -> float:
    """Return the root mean square of the differences of samples from their mean.

    Examples
    --------
    >>> spread_of(torch.tensor([[1.0, 3.0], [1.0, 1.0]]))
    0.7071067811865476
    """
    # The mean of equal numbers is rounded.
    return root_mean_square(scores - scores.mean(0)) if bool((scores != scores[:1]).any()) else 0.0
