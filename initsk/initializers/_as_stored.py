"""Another framework's view of a parameter: one tensor, as it is stored there."""

from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._named_scaling import HeNormal
from initsk.initializers._site import FRAMEWORK_LAYOUTS, Site
from initsk.utils._validation import Constraint, instance_of, one_of, optional


class AsStored(Initializer):
    """Draw a parameter as the one tensor that a framework stores, with the fans that it counts there.

    Everywhere else gates, groups and projections are matrices of their own, and fans count connections. The
    names of other frameworks (``"torch.orthogonal_"``) use this to mean exactly what they mean there.

    Parameters
    ----------
    base : Initializer or None, default=None
        What is drawn; None means ``HeNormal()``.
    framework : {"torch", "keras", "jax"}, default="torch"
        Whose layout it is.

    Raises
    ------
    InvalidParameterError
        When used on what the base refuses.

    Notes
    -----
    Law: that of the base, over

    - torch: the tensor as it is, the gates of an LSTM or the projections of attention as one matrix,
      ``fan_in = shape[1] * kernel`` and ``fan_out = shape[0] * kernel``; so the fans of transposed convolutions are
      swapped, groups do not count in fan_out, and an embedding has its width as fan_in;
    - keras: the same, but for depthwise convolutions, stored as ``(*kernel, in, multiplier)``, so that
      ``fan_in = in * kernel``, for embeddings, with as many inputs as rows, and for attention, projection by
      projection (Keras also takes the heads apart, which is not followed here);
    - jax: kernels as flax stores them: gates and projections apart, transposed convolutions with their fans
      as counted, embeddings with as many inputs as rows, groups as in torch.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import AsStored, Orthogonal
    >>> lstm = torch.nn.LSTM(3, 4)
    >>> for initializer in Orthogonal(), AsStored(Orthogonal()):
    ...     record = initialize(lstm, initializer, random_state=0)
    ...     print(round(torch.linalg.matrix_norm(lstm.weight_hh_l0.detach(), ord=2).item(), 4))
    2.0
    1.0
    """

    name = "as_stored"
    family = "composed"
    law = "that of the base, over the tensor as a framework stores it"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "base": optional(instance_of(Initializer, "an Initializer")),
        "framework": one_of("framework", FRAMEWORK_LAYOUTS),
    }

    def __init__(self, base: Initializer | None = None, framework: str = "torch") -> None:
        self.base = base
        self.framework = framework

    @property
    def filling(self) -> Initializer:
        """The base, or He's law."""
        return HeNormal() if self.base is None else self.base

    @property
    def draws_surely(self) -> bool:
        """Whether the base does."""
        return self.filling.draws_surely

    def laid_out(self, site: Site) -> Site:
        """Return the site of the whole tensor."""
        return site.as_stored(self.framework)

    def refuses(self, site: Site) -> str | None:
        """Say what the base needs and the tensor does not have."""
        return self.filling.refuses(self.laid_out(site))

    def promise(self, site: Site) -> Promise | None:
        """Say what the values for `site` will be like."""
        return self.filling.promise(self.laid_out(site))

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return self.filling._draw(self.laid_out(site), generator, dtype)
