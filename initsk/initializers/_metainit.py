"""MetaInit: tune the norms of the weights so that the gradient changes least along itself."""

import numpy as np
import torch

from initsk.initializers.core._gradients import GradientScheme, Point, ScalingProblem
from initsk.initializers.core._minibatches import Batches
from initsk.initializers.core._registry import InitializerLike
from initsk.network import Criteria, ParameterSpec
from initsk.utils.torch_settings import measurable, real_parts
from initsk.utils.validation import real

# In the authors' code a norm may pass zero, which flips all signs.
_MIN_FACTOR = 0.01


class MetaInit(GradientScheme):
    """Tune the norms of the weights so that the loss is as linear as possible along a gradient step.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        The initializer that draws the weights before their norms are tuned.
    lr : float, default=0.1
        Absolute step of a norm, above 0: large layers have large norms, so their weights change slowly.
    momentum : float, default=0.9
        Fraction of the last step that is repeated, from 0 up to below 1.
    n_steps : int, default=500
        Steps, at least 1.
    eps : float, default=1e-5
        Added to the absolute value of each gradient in a denominator, above 0.
    batch_size : int or None, default=128
        Rows of X and y in a step, at least 2; None takes all rows, and so does a graph.
    criterion : str, callable, dict of these by name of the head, or None, default=None
        Name of one of torch's losses in any case; or ``loss(output, y)``, which returns one real number; or one for
        each named head of the output, whose sum is the loss. None is the output's own ``loss``, or the one that suits
        y; see `initsk.network.loss_of`.

    Raises
    ------
    ModuleError
        By `initialize`, if the loss is not finite, does not depend on a weight, or cannot be differentiated three
        times.

    Notes
    -----
    Formula: in each step, let ``g`` be the gradient of the loss with respect to all ``N`` trainable parameters, and
    ``H`` its Hessian. The gradient quotient

    ``GQ = (1 / N) sum |(g - H g) / (g + eps s(g)) - 1|``, ``s(g) = 1`` for ``g >= 0``, else ``-1``

    is differentiated with respect to the norm of every weight of two or more dimensions; the norm then changes by
    ``v = momentum v - lr sign(dGQ / dnorm)`` (Dauphin and Schoenholz 2019, equation 1 and figure 2). Biases and
    normalization layers do not change. No norm falls below 0.01 of its first value, which keeps the directions; the
    authors' code has no such limit. The authors use normal noise with random labels; X and y may be
    noise, too. Batch normalization uses the statistics of the batch, as in the version of Zhu et al. 2021, and dropout
    is off. A few entries with ``g`` near zero dominate the quotient, so it is noisy: small networks, whose norms
    are small compared with `lr`, may need a smaller `lr` or larger batches. Layers must be differentiable three times,
    and a step costs as much as several ordinary steps. `MetaInit` computes batch, instance and layer normalization
    with elementary operations, because the third derivatives of torch's own operations are wrong or missing.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import MetaInit
    >>> from initsk.network import MLP
    >>> X, y = torch.linspace(-1, 1, 60).reshape(20, 3), torch.arange(20) % 2
    >>> scheme = MetaInit("glorot_normal", n_steps=2)
    >>> record = initialize(MLP(3, 2, (4,)), scheme, X=X, y=y, random_state=0)
    >>> record.to_frame()["why"].iloc[0]
    'weight initializer; times ... by MetaInit'
    """

    name = "metainit"
    synonyms = ("meta_init",)
    formula = "norms that minimize mean |(g - H g) / (g + eps s(g)) - 1|"
    reference = "Dauphin and Schoenholz 2019, equation 1"
    parameter_constraints = {"momentum": real(minimum=0, below=1), "eps": real(above=0)}

    base: InitializerLike = "he_normal"
    lr: float = 0.1
    momentum: float = 0.9
    n_steps: int = 500
    eps: float = 1e-5
    batch_size: int | None = 128
    criterion: Criteria | None = None

    def _scales(self, spec: ParameterSpec) -> bool:
        return spec.role == "weight" and len(spec.shape) >= 2

    def _learn(self, problem: ScalingProblem, batches: Batches) -> np.ndarray:
        sizes = [
            torch.linalg.vector_norm(measurable(real_parts(w)), dtype=torch.float64) for w in problem.weights.values()
        ]
        norms = np.array([float(size) for size in sizes])
        factors, velocity = np.ones_like(norms), np.zeros_like(norms)
        for _ in range(self.n_steps):
            rows = batches.next()
            point = problem.point(factors)
            slopes = problem.within(point, self._slopes, problem, point, rows)
            velocity = self.momentum * velocity - self.lr * np.sign(slopes)
            factors = np.maximum(factors + velocity / norms, _MIN_FACTOR)
        return factors

    def _slopes(self, problem: ScalingProblem, point: Point, rows: torch.Tensor | None) -> np.ndarray:
        """Return the derivatives of the gradient quotient."""
        gradient = problem.gradient(problem.loss(rows), point)
        half_square = torch.stack([real_parts(g).square().sum() for g in gradient.values()]).sum() / 2
        curved = problem.second(half_square, {name: point[name] for name in gradient}, create_graph=True)
        terms = []
        for name, values in gradient.items():
            g, product = real_parts(values), real_parts(curved[name])
            sign = torch.where(g >= 0, 1.0, -1.0).to(g)
            terms.append(((g - product) / (g + self.eps * sign) - 1).abs().sum())
        n_values = sum(real_parts(g).numel() for g in gradient.values())
        return problem.slopes(torch.stack(terms).sum() / n_values, point)
