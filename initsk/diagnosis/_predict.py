"""Predictions of the theory of wide networks: the signals and gradients of a network at initialization."""

from dataclasses import replace
from typing import Any

import pandas as pd
from torch import nn

from initsk import theory
from initsk.exceptions import ModuleError
from initsk.initialization import choices_for
from initsk.initializers import InitializerLike, get_initializer
from initsk.network import (
    Distribution,
    NetworkGraph,
    Operation,
    ParameterUse,
    WideNetwork,
    argument_of,
    as_batch,
    borrowed,
    current_values,
    named_parameters,
    read,
    shares_memory,
)
from initsk.utils.global_state import one_at_a_time
from initsk.utils.validation import check_parameters, optional, real

# Variance of the logarithm that single precision adds where a normalization leaves no other.
_ROUNDING = 1e-8
_NUMBERS = [f"{direction}{bound}" for direction in ("forward", "backward") for bound in ("", "_low", "_high")]
_DTYPES = {"layer": "str", "position": "str", "operation": "str"} | dict.fromkeys(_NUMBERS, "float64")
_DTYPES |= {"unknown": "str"}


@one_at_a_time
def predict_signal(
    model: Any, initializer: InitializerLike | None = None, X: Any = None, *, input_square: float | None = None,
    training: bool = False, confidence: float = 0.99,
) -> pd.DataFrame:  # fmt: skip
    r"""Predict the mean squares of signals and gradients in a network at initialization; nothing is drawn.

    The network is read by one forward pass, and the prediction goes along its operations: layers with weights,
    activation functions, sums of branches, products of signals, normalization, dropout, pooling, concatenation and
    attention.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        The network.
    initializer : str, Initializer, callable or None, default=None
        Initializer of the weights and biases; None takes the current weights.
    X : array-like, tensor, tuple or dict of them, or None, default=None
        A batch: the prediction starts from the statistics of its values, and uses its lengths. Without it, an example
        input gives the lengths, and its values are independent with the mean square 1.
    input_square : float or None, default=None
        Mean square of the input, at least 0; None takes that of X.
    training : bool, default=False
        Whether dropout is active, and batch normalization uses the statistics of the batch. Otherwise it uses its
        running statistics, which are 0 and 1 at the start.
    confidence : float, default=0.99
        Probability that the mean square of one sample lies between the bounds, above 0 and below 1.

    Returns
    -------
    DataFrame
        A row per position, in the order of the forward pass: ``layer`` and ``position`` ("pre_activation" and
        "activation", or "output"), the ``operation``, ``forward``, the mean square of the values, and ``backward``,
        that of the gradient if it is 1 at the output; each with the bounds ``_low`` and ``_high`` at finite width
        (`initsk.theory.forward_spread`). Values behind an operation that the theory does not know are NaN, and
        ``unknown`` names the operation.

    Raises
    ------
    InvalidParameterError
        If a number is not allowed.
    ModuleError
        If the forward pass fails, no input is found, or the initializer states no variance or a mean that is not zero.

    Notes
    -----
    For units with random weights, `initsk.theory.Signal` describes a signal by its mean square :math:`q`, by the mean
    product of a unit's values at two positions, :math:`c`, and in two samples. Assumptions: layers are wide; weights
    are independent of the signals that meet them; all pairs of positions are alike, and edges of padded images count by
    the mean number of values that a kernel meets. Attention takes means of the values with the weights of a softmax of
    normal scores with the variance :math:`v = q_q (q_k - c_k)`; these weights are uniform where the scores are small:

    .. math:: q_{out} = c + (q - c) \sum_j a_j^2, \quad \sum_j a_j^2 \approx 1 / (1 + (n - 1) e^{-v})

    The scores are assumed not to depend on the values. If keys and values come from a signal of few units, the result
    is larger.

    Recurrent layers, layers whose weights have a mean that is not zero, and functions of several values that are not
    listed above, are not known. The gradient ignores what normalization removes from it, and the dependence of forward
    and backward signals.

    Examples
    --------
    >>> from initsk.diagnosis import predict_signal
    >>> from initsk.network import MLP
    >>> frame = predict_signal(MLP(100, 10, (100, 100)), "he_normal")
    >>> frame.loc[frame["position"] == "activation", "forward"].round(6).tolist()
    [1.0, 1.0]
    """
    given = {"input_square": input_square, "confidence": confidence}
    allowed = {"input_square": optional(real(minimum=0)), "confidence": real(above=0, below=1)}
    check_parameters("predict_signal", given, allowed)
    with borrowed(model, X) as owner:
        module = owner.module
        batch = None if X is None else as_batch(module, owner.prepared(X))
        graph = read(module, batch, training=training)
        if not graph.operations:
            kind = type(module).__name__
            raise ModuleError(f"predict_signal found no input with which {kind} runs (allowed: an X on which it runs)")
        network = WideNetwork(graph, Distributions(module, graph, initializer), batch, input_square)
        propagated = list(network.values())
    rows = []
    for values in propagated:
        bounds: list[float] = []
        for signal in (values.signal, values.gradient):
            if signal is None:
                bounds += [float("nan")] * 3
            else:
                interval = theory.prediction_interval(signal.square, signal.spread + _ROUNDING, confidence)
                bounds += [signal.square, *interval]
        rows.append((values.layer, values.position, values.operation, *bounds, values.unknown))
    return pd.DataFrame(rows, columns=list(_DTYPES)).astype(_DTYPES)


class Distributions:
    """The distributions of a network's parameters: as an initializer draws them, or as they are.

    Parameters
    ----------
    module : torch.nn.Module
    graph : NetworkGraph
        The module, read by a forward pass.
    initializer : str, Initializer, callable or None
        None takes the current values.

    Raises
    ------
    ModuleError
        If the initializer depends on measured values, or states no variance.
    """

    def __init__(self, module: nn.Module, graph: NetworkGraph, initializer: InitializerLike | None) -> None:
        self.values, self.current = dict(named_parameters(module)), current_values(module)
        self.drawn: dict[str, Distribution] = {}
        #: Parameters from which a parametrization or a hook computes the tensor that is drawn.
        self.computed: set[str] = set()
        if initializer is not None:
            self._state(module, graph, initializer)

    def __call__(self, operation: Operation, use: ParameterUse) -> Distribution:
        """Return the distribution of a parameter as an operation uses it: times a factor or a mask in ``forward``."""
        if use.name not in self.drawn:
            return self.current(operation, use)
        drawn, used, parameter = self.drawn[use.name], argument_of(operation, use), self.values[use.name]
        if used is None or shares_memory(used, parameter) or use.name in self.computed:
            return drawn
        before = Distribution.of(parameter).square
        return replace(drawn, square=drawn.square * Distribution.of(used).square / before) if before else drawn

    def _state(self, module: nn.Module, graph: NetworkGraph, initializer: InitializerLike) -> None:
        if get_initializer(initializer).refines:
            raise ModuleError(
                f"predict_signal requires a known variance, but {initializer!r} depends on measured values"
            )
        for step, choices in choices_for(module, initializer, graph):
            for spec, choice in zip(step.specs, choices, strict=False):
                expected = choice.initializer.expected_moments(spec)
                if expected is None:
                    raise ModuleError(f"{initializer!r} states no variance for {step.name}")
                if spec.role == "weight" and expected.mean != 0:
                    raise ModuleError(
                        f"predict_signal requires zero-mean weights, but those of {initializer!r} have mean"
                        f" {expected.mean:g} in {step.name}"
                    )
                square, is_orthogonal = expected.variance + expected.mean**2, expected.singular_value is not None
                law = Distribution(expected.mean, square, is_orthogonal, expected.centered)
                self.drawn.update(dict.fromkeys([*step.parameters, *step.aliases], law))
                self.computed |= set(step.parameters) if step.is_computed else set()
                break
