"""ZerO: identities and Hadamard matrices instead of chance."""

from typing import ClassVar

import torch

from initsk.initializers._base import Choice, Initializer
from initsk.initializers._constant import centre_tap
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, real


class ZerO(Initializer):
    """Set layers that keep or shrink the width to the identity, and those that widen it to a Hadamard matrix.

    Nothing is random: every seed gives the same network. A convolution has the matrix at its kernel's
    centre and zeros elsewhere, group by group.

    Parameters
    ----------
    hadamard_gain : float, default=1.0
        Factor on the Hadamard matrices over their orthonormal scale, above 0; ``2 ** 0.5`` is the constant
        that the paper prints.

    Raises
    ------
    InvalidParameterError
        When used on anything but a matrix or a convolution's kernel.

    Notes
    -----
    Law, with ``(out, in)`` the matrix: ``W = I`` with as many ones as there are rows if ``out <= in``, otherwise
    ``W = c H[:out, :in]``, where ``H`` is Sylvester's Hadamard matrix of size ``2^m``, ``m = ceil(log2(out))``,
    ``H[i, j] = (-1)^popcount(i & j)``, and ``c = hadamard_gain 2^(-m/2)`` (Zhao et al. 2022, algorithm 1; for
    convolutions algorithm 2, at ``k // 2``). If `out` is a power of two, all singular values are
    `hadamard_gain`; otherwise the squared norm of each column is ``out / 2^m``.

    The paper's algorithms print ``c = 2^(-(m-1)/2)``; the authors' code, followed here, has ``2^(-m/2)``, which makes
    ``c H`` orthogonal. For residual networks their code further zeroes the last layers of the branches, the first
    convolution and the classifier, and adds fixed Hadamard transforms to the skips, which is a change of the network.
    Biases are zero; embeddings, bilinear and normalisation layers, of which the algorithms do not speak, are left.

    The rows of ``H[:out, :in]`` repeat, with a period of the next power of two from `in` on. Such units are told
    apart by their outgoing weights, unless the next layer is a partial identity that ignores them all: a layer
    much wider than both of its neighbours then keeps copies.

    Examples
    --------
    >>> from initsk.initializers import ZerO
    >>> ZerO().sample((2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    >>> ZerO().sample((4, 2)).tolist()
    [[0.5, 0.5], [0.5, -0.5], [0.5, 0.5], [0.5, -0.5]]
    """

    name = "zero_hadamard"
    synonyms = ("zer_o",)
    family = "structured"
    law = "W = I if out <= in, else 2^(-m/2) H[:out, :in], m = ceil(log2(out))"
    reference = "Zhao, Schaefer and Anandkumar 2022, algorithms 1 and 2"
    _draws_surely = True
    _constraints: ClassVar[dict[str, Constraint]] = {"hadamard_gain": real(above=0)}

    def __init__(self, hadamard_gain: float = 1.0) -> None:
        self.hadamard_gain = hadamard_gain

    def choose(self, site: Site) -> Choice | None:
        """Leave embeddings and bilinear layers, which are neither a matrix on vectors nor a convolution."""
        return None if site.kind in ("embedding", "bilinear") else super().choose(site)

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        if len(site.shape) >= 2 and site.kind != "bilinear":
            return None
        return (
            f"needs a matrix or a convolution's kernel, not a tensor of shape {site.shape}"
            " (allowed: (out, in) or (out, in, *kernel))"
        )

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = torch.zeros(site.shape, dtype=dtype)
        rows, columns = site.shape[:2]
        centre_tap(values).copy_(self._matrix(rows, columns, dtype))
        return values

    def _matrix(self, rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
        if rows <= columns:
            return torch.eye(rows, columns, dtype=dtype)
        exponent = (rows - 1).bit_length()
        return hadamard_corner(rows, columns, dtype).mul_(self.hadamard_gain * 2 ** (-exponent / 2))


def hadamard_corner(rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    """Return the upper left corner of a Sylvester Hadamard matrix, of signs.

    Examples
    --------
    >>> hadamard_corner(4, 3, torch.int8).tolist()
    [[1, 1, 1], [1, -1, 1], [1, 1, -1], [1, -1, -1]]
    """
    corner = torch.ones((rows, columns), dtype=dtype)
    size = 1
    # H_2n = [[H_n, H_n], [H_n, -H_n]], cut to the corner at each step.
    while size < max(rows, columns):
        known = corner[:size, :size]
        below, right = known[: max(rows - size, 0)], known[:, : max(columns - size, 0)]
        corner[size : 2 * size, :size] = below
        corner[:size, size : 2 * size] = right
        corner[size : 2 * size, size : 2 * size] = -below[:, : right.shape[1]]
        size *= 2
    return corner
