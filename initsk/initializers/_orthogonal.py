"""Random orthogonal matrices, for dense layers and for convolutions."""

from typing import ClassVar

import torch

from initsk.initializers._base import Initializer, Promise
from initsk.initializers._constant import centre_tap
from initsk.initializers._draws import orthogonal_matrix
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, one_of, real


class Orthogonal(Initializer):
    """Draw a random orthogonal matrix: every singular value equals `gain`.

    Weights of more than two dimensions are flattened to ``(out, in * kernel)``, group by group; a
    matrix that is not square has orthonormal rows or columns, whichever are fewer. Complex weights are unitary.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix, above 0; ``2 ** 0.5`` keeps the mean square through ReLU.

    Raises
    ------
    InvalidParameterError
        When used on a vector.

    Notes
    -----
    Law: ``W^T W = gain^2 I`` (columns no more than rows) or ``W W^T = gain^2 I``, Haar distributed (Saxe et al. 2013,
    section 3). Drawn as a product of random reflections (Stewart 1980, theorem 3.3), in float32 or better whatever the
    parameter's type; the last bits depend on LAPACK and on torch's number of threads. torch's ``orthogonal_``, Keras'
    and JAX's are the same law by QR of a Gaussian, over the tensor as they store it (`AsStored`), where here each
    group, gate and projection is orthogonal by itself.

    Examples
    --------
    >>> import torch
    >>> from initsk.initializers import Orthogonal
    >>> w = Orthogonal().sample((4, 4), random_state=0)
    >>> torch.allclose(w.T @ w, torch.eye(4), atol=1e-5)
    True
    """

    name = "orthogonal"
    family = "orthogonal"
    law = "W W^T = gain^2 I or W^T W = gain^2 I"
    reference = "Saxe, McClelland and Ganguli 2013"
    _draws_surely = True
    _constraints: ClassVar[dict[str, Constraint]] = {"gain": real(above=0)}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        return site.lacks_matrix

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        return orthogonal_matrix(*site.matrix_shape, generator, dtype).mul_(self.gain).reshape(site.shape)

    def promise(self, site: Site) -> Promise:
        """Say what the values for `site` will be like."""
        return Promise(self.gain**2 / max(site.matrix_shape), singular_value=self.gain)


class DeltaOrthogonal(Initializer):
    """Set a convolution to an orthogonal matrix at the kernel's centre, and zero elsewhere.

    The convolution itself, not only its kernel as a matrix, then keeps every norm, exactly if its
    padding is circular.

    Parameters
    ----------
    gain : float, default=1.0
        Factor on the matrix, above 0.
    even_centre : {"after", "before"}, default="after"
        Which of the two middle positions is the centre of a kernel of even size `k`: "after" is ``k // 2``, as in
        `Dirac`; "before" is ``(k - 1) // 2``, as in JAX, and where torch's ``padding="same"`` has it.

    Raises
    ------
    InvalidParameterError
        When used on anything but a convolution, or on one with fewer outputs than inputs.

    Notes
    -----
    Law: ``W[:, :, k // 2, ...] = gain Q`` with ``Q^T Q = I`` Haar distributed, so that each input is kept
    (Xiao et al. 2018, section 2.3 and algorithm 2); that needs at least as many outputs as inputs in a group, and
    fewer are refused. JAX's ``delta_orthogonal`` is the same law with ``even_centre="before"``, over all groups.

    Examples
    --------
    >>> from initsk.initializers import DeltaOrthogonal
    >>> w = DeltaOrthogonal().sample((4, 4, 3, 3), random_state=0)
    >>> round(w[:, :, 1, 1].det().abs().item(), 4), int((w != 0).sum())
    (1.0, 16)
    """

    name = "delta_orthogonal"
    family = "orthogonal"
    law = "W[:, :, centre] = gain Q, Q^T Q = I, else 0"
    reference = "Xiao et al. 2018, algorithm 2"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "gain": real(above=0),
        "even_centre": one_of("even_centre", ("after", "before")),
    }

    def __init__(self, gain: float = 1.0, even_centre: str = "after") -> None:
        self.gain = gain
        self.even_centre = even_centre

    def refuses(self, site: Site) -> str | None:
        """Say what the initializer needs and `site` does not have."""
        if site.kind == "convolution" and site.shape[0] >= site.shape[1]:
            return None
        return (
            f"needs a convolution with no fewer outputs than inputs, not shape {site.shape}"
            " (allowed: (out, in, *kernel) with out >= in; for other layers PerParameter)"
        )

    def _draw(self, site: Site, generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
        values = torch.zeros(site.shape, dtype=dtype)
        matrix = orthogonal_matrix(site.shape[0], site.shape[1], generator, dtype).mul_(self.gain)
        centre_tap(values, before=self.even_centre == "before").copy_(matrix)
        return values

    def promise(self, site: Site) -> Promise | None:
        """Say what the values for `site` will be like."""
        if self.refuses(site):
            return None
        # Of all entries, one in the kernel's size belongs to the matrix.
        return Promise(self.gain**2 / site.shape[0] * site.shape[1] / site.matrix_shape[1])
