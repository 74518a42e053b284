"""Weights whose sum is zero in each unit, so that a common shift of the inputs does not pass."""

from typing import ClassVar

import torch

from initsk.initializers._base import Choice, Promise
from initsk.initializers._registry import InitializerLike
from initsk.initializers._scaled import Wrapper
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint


class Centred(Wrapper):
    r"""Draw what another initializer draws, and subtract from each unit's weights their mean.

    Parameters
    ----------
    base : str, Initializer or callable, default="orthogonal"
        What is drawn.

    Raises
    ------
    InvalidParameterError
        When used on what the base refuses, on units of one input, or around a base that works on the network after it
        has drawn.

    Notes
    -----
    Law: ``W = c (W_base - mean of each unit)``, with :math:`c = (1 - 1 / n)^{-1/2}` for units of n inputs, so that the
    variance stays.

    A function with :math:`\phi(0) \ne 0` shifts all of a layer's activations alike, which the next layer turns into a
    shift of each unit that is the same for all samples: in deep networks of sigmoids it is all that is left. Centred
    weights do not let it pass. Since :math:`\sigma(x) = 1/2 + \tanh(x / 2) / 2`, centred weights times 4 make of a
    network of sigmoids one of tanh, layer by layer. Huang et al. 2017 keep weights centred while they are trained;
    for the start neither torch nor Keras nor JAX has it.

    Examples
    --------
    >>> from initsk.initializers import Centred, Orthogonal
    >>> w = Centred(Orthogonal(gain=4.0)).sample((50, 100), random_state=0)
    >>> w.sum(1).abs().max().item() < 1e-4
    True
    """

    name = "centred"
    family = "composed"
    law = "W = (W_base - mean of each unit) / sqrt(1 - 1 / fan_in)"
    reference = "Huang et al. 2017"
    _constraints: ClassVar[dict[str, Constraint]] = {**Wrapper._constraints}

    def __init__(self, base: InitializerLike = "orthogonal") -> None:
        self.base = base

    def choose(self, site: Site) -> Choice | None:
        """Centre the base's choice of weights."""
        choice = self.filling.choose(site)
        if choice is None or site.role == "bias":
            return choice
        return Choice(Centred(choice.initializer), choice.why)

    def laid_out(self, site: Site) -> Site:
        """Return what the base draws."""
        return self.filling.laid_out(site)

    def refuses(self, site: Site) -> str | None:
        """Say what the base says, and what has no mean to subtract."""
        if site.lacks_matrix or site.matrix_shape[1] < 2:
            return f"needs units of at least two inputs, not a tensor of shape {site.shape}"
        return self.filling.refuses(site)

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = self.filling._draw(site, generator, dtype)
        rows = values.reshape(site.matrix_shape)
        rows = (rows - rows.mean(1, keepdim=True)) * (1 - 1 / rows.shape[1]) ** -0.5
        return rows.reshape(values.shape)

    def promise(self, site: Site) -> Promise | None:
        """Say what the values for `site` will be like."""
        inner = self.filling.promise(site)
        return None if inner is None else Promise(inner.variance, symmetric=inner.symmetric, centred=True)
