"""A fixed number of connections per unit."""

from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._draws import draw_normal
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, integer, real


class Sparse(Initializer):
    """Give every unit exactly `n_nonzero` incoming weights that are not zero.

    Units then differ strongly from each other, and the size of their input does not depend on
    the layer's width.

    Parameters
    ----------
    n_nonzero : int, default=15
        Incoming weights per unit that are not zero, at least 1; a unit with fewer inputs uses all.
    std : float, default=1.0
        Standard deviation of those, above 0.

    Raises
    ------
    InvalidParameterError
        When used on a vector.

    Notes
    -----
    Law: in each row of ``(out, in * kernel)`` a uniform choice of `n_nonzero` entries is
    ``N(0, std^2)``, the others 0 (Martens 2010, section 5). torch's ``sparse_`` zeroes a fraction of each
    *column*, so that its number of inputs per unit is left to chance.

    Examples
    --------
    >>> from initsk.initializers import Sparse
    >>> (Sparse(3).sample((2, 50), random_state=0) != 0).sum(dim=1).tolist()
    [3, 3]
    """

    name = "sparse"
    family = "sparse"
    law = "n_nonzero entries a row ~ N(0, std^2), others 0"
    reference = "Martens 2010, section 5"
    _draws_surely = True
    _constraints: ClassVar[dict[str, Constraint]] = {"n_nonzero": integer(1), "std": real(above=0)}

    def __init__(self, n_nonzero: int = 15, std: float = 1.0) -> None:
        self.n_nonzero = n_nonzero
        self.std = std

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        return site.lacks_matrix

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        rows, columns = site.matrix_shape
        count = min(self.n_nonzero, columns)
        chosen = torch.rand((rows, columns), generator=generator).topk(count, dim=1, sorted=False).indices
        kept = draw_normal((rows, count), self.std, generator=generator, dtype=dtype)
        # A normal number rounds to exactly zero once in some ten million draws.
        kept = torch.where(kept == 0, torch.full_like(kept, self.std), kept)
        return torch.zeros((rows, columns), dtype=dtype).scatter_(1, chosen, kept).reshape(site.shape)

    def promise(self, site: Site) -> Promise:
        """Say what the values for `site` will be like."""
        columns = max(site.matrix_shape[1], 1)
        return Promise(self.std**2 * min(self.n_nonzero, columns) / columns)
