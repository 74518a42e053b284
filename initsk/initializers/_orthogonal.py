"""Random orthogonal matrices."""

from typing import ClassVar

import torch

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Initializer
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, real


def orthogonal_matrix(rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Draw a (semi-)orthogonal matrix uniformly: QR of a Gaussian with the signs of R's diagonal."""
    tall = torch.randn((max(rows, columns), min(rows, columns)), generator=generator, dtype=dtype)
    q, r = torch.linalg.qr(tall)
    # Without the signs the distribution would depend on the QR's convention (Mezzadri 2007).
    q = q * torch.where(torch.diagonal(r) < 0, -1.0, 1.0).to(dtype)
    return q if rows >= columns else q.T


class Orthogonal(Initializer):
    """Draw a random orthogonal matrix: every singular value equals `gain`.

    Weights of more than two dimensions are flattened to ``(out, in * kernel)``; a
    matrix that is not square has orthonormal rows or columns, whichever are fewer.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix, above 0; ``2 ** 0.5`` keeps the mean square through ReLU.

    Notes
    -----
    Law: ``W^T W = gain^2 I`` (columns no more than rows) or ``W W^T = gain^2 I``, Haar
    distributed (Saxe et al. 2013; Mezzadri 2007 for the signs).

    Examples
    --------
    >>> import torch
    >>> from initsk.initializers import Orthogonal
    >>> w = Orthogonal().sample((4, 4), random_state=0)
    >>> torch.allclose(w.T @ w, torch.eye(4), atol=1e-5)
    True
    """

    family = "orthogonal"
    law = "W W^T = gain^2 I or W^T W = gain^2 I"
    reference = "Saxe, McClelland and Ganguli 2013"
    _constraints: ClassVar[dict[str, Constraint]] = {"gain": real(above=0)}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        if len(site.shape) < 2:
            raise InvalidParameterError(
                f"Orthogonal needs a matrix, not a tensor of shape {site.shape} (allowed: two or more dimensions)"
            )
        rows = site.shape[0]
        columns = 1
        for size in site.shape[1:]:
            columns *= size
        if rows == 0 or columns == 0:
            return torch.zeros(site.shape, dtype=dtype)
        matrix = orthogonal_matrix(rows, columns, generator, dtype)
        return matrix.mul(self.gain).reshape(site.shape).contiguous()
