"""GradInit: learn factors of the weights that minimize the loss after one optimizer step."""

import numpy as np
import torch

from initsk.initializers.core._gradients import GradientScheme, Point, ScalingProblem
from initsk.initializers.core._minibatches import Batches
from initsk.initializers.core._registry import InitializerLike
from initsk.network import Criteria
from initsk.utils.torch_settings import real_parts
from initsk.utils.validation import one_of, optional, real

# Values in the authors' runs: CIFAR with SGD, translation with Adam.
_ETA = {"sgd": 0.1, "adam": 0.001}
_GAMMA = {"sgd": 1.0, "adam": float("inf")}
_MAX_SLOPE = 1.0


class GradInit(GradientScheme):
    """Multiply each tensor by a factor that minimizes the loss after one step of the optimizer.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        The initializer that draws the values before they are multiplied.
    algorithm : {"sgd", "adam"}, default="sgd"
        The optimizer of the simulated first step: along ``g / ||g||`` for SGD, along ``sign(g)`` for Adam.
    eta : float or None, default=None
        Length of the simulated step, above 0: the learning rate of the later training. None
        is 0.1 for SGD and 0.001 for Adam.
    gamma : float or None, default=None
        Largest norm of the gradient, above 0: the Euclidean norm for SGD, the sum of absolute values for Adam, which
        grows with the network. None is 1 for SGD, and no bound for Adam.
    lr : float, default=0.01
        Learning rate of the factors, above 0.
    n_steps : int, default=390
        Steps, at least 1.
    min_scale : float, default=0.01
        Smallest factor, above 0.
    batch_size : int or None, default=128
        Rows of X and y in a minibatch, at least 2; None takes all rows, and so does a graph.
    criterion : str, callable, dict of these by name of the head, or None, default=None
        Name of one of torch's losses in any case; or ``loss(output, y)``, which returns one real number; or one for
        each named head of the output, whose sum is the loss. None is the output's own ``loss``, or the one that suits
        y; see `initsk.network.loss_of`.

    Raises
    ------
    ModuleError
        By `initialize`, if the loss is not finite, does not depend on a weight, or cannot be differentiated twice.

    Notes
    -----
    Formula: let ``m`` be the factors, 1 at first, and ``g`` the gradient of the loss ``L`` on a minibatch ``S`` with
    respect to all trainable parameters. Each step of Adam, with slopes clipped to [-1, 1], lowers

    - the norm ``||g||`` if it is above ``gamma``;
    - else ``L(S~; m W - eta A(g)) / eta``, where ``A(g)`` is the direction of the algorithm, taken as constant, and
      ``S~`` is one half of ``S`` together with new rows for the other half.

    Adam has separate moments for the two cases (Zhu et al. 2021, equation 1 and algorithm 1, and their code). Every
    nonzero tensor that the base draws has one factor: weights, and biases if the base draws them. The
    authors also scale normalization layers, which do not change here. The defaults are those of the authors' script for
    VGG-19 without batch normalization; their command line has no bound on the norm and `lr` 0.001. For Adam, only the
    length of the step is that of their translation runs, which also have `lr` 0.0025, 780 steps, a
    second moment of 0.98, hardly any clipping, and a `min_scale` of 0 for biases. Batch normalization uses
    the statistics of the batch, and dropout is off.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import GradInit, RandomNormal
    >>> from initsk.network import MLP
    >>> X = torch.linspace(-1, 1, 60).reshape(20, 3)
    >>> y = (X[:, 0] > 0).long()
    >>> scheme = GradInit(RandomNormal(1.0), lr=0.05, n_steps=20)
    >>> record = initialize(MLP(3, 2, (4,)), scheme, X=X, y=y, random_state=0)
    >>> record.to_frame()["why"].iloc[0]
    'weight initializer; times ... by GradInit'
    """

    name = "gradinit"
    synonyms = ("grad_init",)
    formula = "factors m that minimize L(m W - eta A(g)) where ||g|| <= gamma"
    reference = "Zhu et al. 2021, equation 1"
    parameter_constraints = {
        "algorithm": one_of("algorithm", _ETA), "eta": optional(real(above=0)), "gamma": optional(real(above=0)),
        "min_scale": real(above=0),
    }  # fmt: skip

    base: InitializerLike = "he_normal"
    algorithm: str = "sgd"
    eta: float | None = None
    gamma: float | None = None
    lr: float = 0.01
    n_steps: int = 390
    min_scale: float = 0.01
    batch_size: int | None = 128
    criterion: Criteria | None = None

    def _learn(self, problem: ScalingProblem, batches: Batches) -> np.ndarray:
        gamma = _GAMMA[self.algorithm] if self.gamma is None else self.gamma
        eta = _ETA[self.algorithm] if self.eta is None else self.eta
        factors = np.ones(len(problem.weights))
        for_norm, for_loss = _Adam(self.lr), _Adam(self.lr)
        for _ in range(self.n_steps):
            rows = batches.next()
            point = problem.point(factors)
            after, slopes = problem.within(point, self._norm_or_step, problem, point, rows, gamma, eta)
            if after is None:
                change = for_norm.step(slopes)
            else:
                if rows is not None:
                    kept = rows[: len(rows) // 2]
                    rows = torch.cat([kept, batches.take(len(rows) - len(kept))])
                change = for_loss.step(problem.within(after, _slopes_of_loss, problem, after, rows, eta))
            factors = np.maximum(factors + change, self.min_scale)
        return factors

    def _norm_or_step(
        self, problem: ScalingProblem, point: Point, rows: torch.Tensor | None, gamma: float, eta: float
    ) -> tuple[Point | None, np.ndarray]:
        """Return None and the slopes of the gradient norm if it is above `gamma`, else the point after a step."""
        gradient = problem.gradient(problem.loss(rows), point)
        norm = self._norm(gradient)
        if float(norm.detach()) > gamma:
            return None, problem.slopes(norm, point)
        return self._step(point, gradient, norm, eta), np.zeros(0)

    def _norm(self, gradient: Point) -> torch.Tensor:
        """Return the gradient norm that is dual to the step of the algorithm."""
        parts = [real_parts(values) for values in gradient.values()]
        if self.algorithm == "adam":
            return torch.stack([part.abs().sum() for part in parts]).sum()
        return torch.stack([part.square().sum() for part in parts]).sum().sqrt()

    def _step(self, point: Point, gradient: Point, norm: torch.Tensor, eta: float) -> Point:
        """Return the parameters after one step, as new leaves."""
        after = dict(point)
        with torch.no_grad():
            for name, values in gradient.items():
                direction = values / norm if self.algorithm == "sgd" else _signs(values)
                after[name] = point[name] - eta * direction.to(values)
        return {name: value.detach().requires_grad_() for name, value in after.items()}


def _slopes_of_loss(problem: ScalingProblem, point: Point, rows: torch.Tensor | None, eta: float) -> np.ndarray:
    return problem.slopes(problem.loss(rows) / eta, point)


class _Adam:
    """Adam for the factors, with clipped slopes."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.n_steps = 0
        self.mean = self.square = np.zeros(1)

    def step(self, slopes: np.ndarray) -> np.ndarray:
        """Return the change of the factors."""
        slopes = np.clip(slopes, -_MAX_SLOPE, _MAX_SLOPE)
        self.n_steps += 1
        self.mean = 0.9 * self.mean + 0.1 * slopes
        self.square = 0.999 * self.square + 0.001 * slopes**2
        size = np.sqrt(self.square / (1 - 0.999**self.n_steps)) + 1e-8
        return np.asarray(-self.lr * self.mean / (1 - 0.9**self.n_steps) / size)


def _signs(values: torch.Tensor) -> torch.Tensor:
    """Return the signs; of complex values, the signs of both parts."""
    return torch.complex(values.real.sign(), values.imag.sign()) if values.is_complex() else values.sign()
