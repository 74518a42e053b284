"""Base of initializers that learn one factor per weight tensor from gradients of the loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrize import is_parametrized

from initsk.exceptions import ModuleError
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._elementary_norms import elementary_norms
from initsk.initializers.core._minibatches import Batches, pick
from initsk.initializers.core._wrapper import Refinement
from initsk.network import (
    BATCH_OR_INSTANCE_NORM_LAYERS,
    NO_GRADIENT,
    Criteria,
    Network,
    ParameterSpec,
    check_criterion,
    compute_hooked,
    hooked_tensors,
    mean_loss,
    run_as_written,
    run_module,
)
from initsk.utils.torch_settings import real_parts
from initsk.utils.validation import integer, optional, real, resolved_by
from initsk.utils.words import reason_of

Point = dict[str, torch.Tensor]
Result = TypeVar("Result")


class GradientScheme(Refinement):
    """Base of initializers that multiply each tensor of another initializer by a factor learned from data.

    A subclass has the parameters `lr`, `n_steps`, `batch_size` and `criterion`.
    """

    family = "gradient-based"
    needs_data = True
    needs_gradient = True
    parameter_constraints = {
        "lr": real(above=0), "n_steps": integer(1), "batch_size": optional(integer(2)),
        "criterion": resolved_by(check_criterion),
    }  # fmt: skip

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return None: the factors depend on the data."""
        return None

    def refine(self, network: Network) -> None:
        """Learn the factors and multiply the parameters by them."""
        super().refine(network)
        owner = type(self).__name__
        with differentiable(network):
            carriers = dict(_carriers(network, {n: s for n, s in network.specs.items() if self._scales(s)}))
            if not carriers:
                return
            trained = {name: p for name, p in network.module.named_parameters() if p.requires_grad}
            names = {id(parameter): name for name, parameter in trained.items()}
            weights = {names[id(p)]: trained.pop(names[id(p)]).detach() for p in carriers.values()}
            others = {name: p.detach() for name, p in trained.items()}
            problem = ScalingProblem(owner, network, weights, others, self.criterion)
            factors = self._learn(problem, Batches(owner, network, self.batch_size))
        with torch.no_grad():
            for (name, parameter), factor in zip(carriers.items(), factors.tolist(), strict=True):
                parameter.copy_(parameter * factor)
                network.note(name, f"times {factor:.4g} by {owner}")

    def _scales(self, spec: ParameterSpec) -> bool:
        """Return whether the initializer multiplies the tensor of a spec."""
        return True

    def _learn(self, problem: "ScalingProblem", batches: "Batches") -> np.ndarray:
        """Return a positive factor for each weight of the problem."""
        raise NotImplementedError


@dataclass(frozen=True)
class ScalingProblem:
    """The loss as a function of one factor per weight tensor, for the initializer called `owner`.

    The factors multiply `weights`; `others` are the remaining trainable parameters. Gradients are taken with respect to
    both; both have the parameters' full names as keys. `connected` holds the orders of derivatives that
    `_check_connected` has checked. `unchecked` holds, by order, the point, the derivatives that are not differentiated
    yet, and the value that backpropagation started from.
    """

    owner: str
    network: Network
    weights: dict[str, torch.Tensor]
    others: dict[str, torch.Tensor]
    criterion: Criteria | None
    connected: set[int] = field(default_factory=set)
    unchecked: dict[int, tuple[Point, Point, torch.Tensor]] = field(default_factory=dict)

    def point(self, factors: np.ndarray) -> Point:
        """Return all trainable parameters as leaves, with the weights multiplied by `factors`."""
        scaled = zip(self.weights.items(), factors.tolist(), strict=True)
        values = {name: weight * factor for (name, weight), factor in scaled} | self.others
        return {name: value.detach().requires_grad_() for name, value in values.items()}

    def within(self, point: Point, work: Callable[..., Result], *arguments: Any) -> Result:
        """Return ``work()``, evaluated while the module has the parameters of `point`.

        `work` also takes the derivatives, because checkpoints run a part of the module again during backpropagation.
        """
        values = {f"module.{name}": value for name, value in point.items()}
        return cast(Result, functional_call(_Within(self.network.module), values, (work, *arguments)))

    def loss(self, rows: torch.Tensor | None) -> torch.Tensor:
        """Return the loss on the given rows of the batch, None for all; call it `within` a point."""
        network = self.network
        inputs = tuple(pick(value, network, rows) for value in network.inputs or ())
        keywords = {key: pick(value, network, rows) for key, value in network.keywords.items()}
        target = pick(network.target, network, rows)
        output = run_module(network.module, inputs, keywords)
        loss = mean_loss(output, target, self.criterion, owner=self.owner)
        if not torch.isfinite(loss).all():
            raise ModuleError(
                f"{self.owner}: the loss is {loss.item()}, not finite"
                " (a base of smaller variance or scaled inputs may help)"
            )
        return loss

    def gradient(self, loss: torch.Tensor, point: Point) -> Point:
        """Return the differentiable gradient by parameter, for the parameters that the loss depends on."""
        if not loss.requires_grad:
            raise ModuleError(f"{self.owner}: {NO_GRADIENT}")
        found = self._differentiate(loss, point, order=1, create_graph=True)
        idle = [name for name in self.weights if name not in found]
        if idle:
            raise ModuleError(f"{self.owner}: the loss does not depend on {', '.join(idle)}")
        sparse = [name for name, values in found.items() if values.layout != torch.strided]
        if sparse:
            raise ModuleError(f"{self.owner}: the gradient of {', '.join(sparse)} is sparse (allowed: dense ones)")
        if not any(values.any() for values in found.values()):
            raise ModuleError(f"{self.owner}: the gradient of the loss is zero for every parameter")
        return found

    def second(self, quantity: torch.Tensor, point: Point, create_graph: bool = False) -> Point:
        """Return the derivatives of a function of a gradient; zero for a parameter that it does not depend on."""
        self._check_connected(point)
        found = self._differentiate(quantity, point, 2, create_graph) if quantity.requires_grad else {}
        return {name: found.get(name, torch.zeros_like(value)) for name, value in point.items()}

    def slopes(self, quantity: torch.Tensor, point: Point) -> np.ndarray:
        """Return the derivatives of `quantity` with respect to the factors."""
        found = self.second(quantity, {name: point[name] for name in self.weights})
        dots = [(real_parts(found[name]) * real_parts(weight)).sum() for name, weight in self.weights.items()]
        slopes = torch.stack([dot.to(dots[0].device) for dot in dots]).cpu().double().numpy()
        if not np.isfinite(slopes).all():
            wrong = [name for name, slope in zip(self.weights, slopes, strict=True) if not np.isfinite(slope)]
            raise ModuleError(f"{self.owner}: the derivative with respect to {', '.join(wrong)} is not finite")
        return slopes

    def _differentiate(self, quantity: torch.Tensor, point: Point, order: int, create_graph: bool) -> Point:
        is_new = create_graph and order not in self.connected
        start = torch.ones_like(quantity, requires_grad=is_new)
        with self._refusals():
            places = tuple(point.values())
            found = torch.autograd.grad(quantity, places, start, create_graph=create_graph, allow_unused=True)
        derivatives = {name: value for name, value in zip(point, found, strict=True) if value is not None}
        if is_new:
            self.unchecked[order] = point, derivatives, start
        return derivatives

    def _check_connected(self, point: Point) -> None:
        """Check the derivatives at a point before they are differentiated, once for each order."""
        for order, (place, derivatives, start) in self.unchecked.items():
            if any(place[name] is value for name, value in point.items() if name in place):
                with self._refusals():
                    check_connected(derivatives, start)
                self.connected.add(order)
        self.unchecked.clear()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = reason_of(error)
            raise ModuleError(
                f"{self.owner} differentiates the loss more than once, which a layer does not allow: {reason}"
            ) from error


class _Within(nn.Module):
    """Module that runs a function while `functional_call` replaces the parameters of another module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return work(*arguments)


@contextmanager
def differentiable(network: Network) -> Iterator[None]:
    """Run the block without dropout, with batch statistics, and with operations that have third derivatives."""
    module = network.module
    recurrent = any(isinstance(part, nn.RNNBase) for part in module.modules())
    cudnn = torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
    with network.mode(training=False), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), elementary_norms(module):
        for part in module.modules():
            if isinstance(part, BATCH_OR_INSTANCE_NORM_LAYERS):
                part.train()
        with run_as_written(module), cudnn:
            yield


def check_connected(derivatives: Point, start: torch.Tensor) -> None:
    """Raise if a part of the derivatives was computed outside of autograd.

    Derivatives are proportional to the value `start` that backpropagation starts from, so the derivative of any
    weighted sum of them with respect to `start` equals the sum. A backward that is marked as once_differentiable, or
    that leaves autograd, disconnects its part from `start`: torch then treats this part as a constant. The weights give
    every tensor the same share of the sum, except tensors that are only rounding compared with the others.

    Raises
    ------
    RuntimeError
        If the derivative differs from the sum.
    """
    parts = [real_parts(values) for values in derivatives.values() if values.layout == torch.strided and values.numel()]
    accuracy = max(torch.finfo(values.dtype).eps for values in (start, *derivatives.values())) ** 0.5
    sizes = [float(part.detach().abs().amax()) for part in parts]
    min_size = accuracy * max(sizes, default=0.0)
    shares = []
    for part, size in zip(parts, sizes, strict=True):
        if min_size < size < float("inf"):
            scaled = part.detach() / size
            shares.append((part / size * scaled).sum().to(start.device) / scaled.square().sum().to(start.device))
    if not shares:
        return
    total, slope = torch.stack(shares).sum(), None
    if total.requires_grad:
        (slope,) = torch.autograd.grad(total, start, retain_graph=True, allow_unused=True)
    missing = len(shares) - (0.0 if slope is None else float(slope))
    # Written so that a slope of NaN raises, too.
    if not abs(missing) <= min(0.2, 100 * accuracy):
        raise RuntimeError(
            "a backward that is marked as once_differentiable, is computed outside of autograd, or is not linear"
        )


def _carriers(network: Network, specs: dict[str, ParameterSpec]) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameter to multiply for each spec; note a spec without one."""
    for name in specs:
        prefix, _, attribute = name.rpartition(".")
        owner: Any = network.module.get_submodule(prefix)
        parameter = _carrier(owner, attribute)
        if parameter is None:
            network.note(name, "left as drawn: its parametrization does not pass a factor on")
        elif getattr(owner, attribute).any():
            yield name, parameter


def _carrier(owner: Any, attribute: str) -> nn.Parameter | None:
    """Return the parameter whose factor multiplies the whole tensor, or None."""
    hooked = hooked_tensors(owner).get(attribute)
    if hooked is None and not is_parametrized(owner, attribute):
        return cast(nn.Parameter, getattr(owner, attribute))

    def read() -> torch.Tensor:
        compute_hooked(owner)
        return cast(torch.Tensor, getattr(owner, attribute).clone())

    parameters = [getattr(owner, name) for name in hooked] if hooked else owner.parametrizations[attribute].parameters()
    with torch.no_grad():
        before = read()
        for parameter in parameters:
            saved = parameter.clone()
            parameter.mul_(2)
            doubled = read()
            parameter.copy_(saved)
            compute_hooked(owner)
            if torch.allclose(doubled, 2 * before):
                return cast(nn.Parameter, parameter)
    return None
