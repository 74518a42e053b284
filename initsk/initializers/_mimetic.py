"""Mimetic initialization of attention: products of weights near the identity, as in trained transformers."""

from dataclasses import dataclass

import torch
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.initializers.core._answers import ExpectedMoments
from initsk.initializers.core._draws import draw_normal
from initsk.initializers.core._registry import InitializerLike
from initsk.initializers.core._wrapper import Refinement
from initsk.network import Network, ParameterSpec, set_tensor
from initsk.utils.torch_settings import working_type
from initsk.utils.validation import real


class MimeticAttention(Refinement):
    """Give attention layers products of weights like those of trained vision transformers.

    Query times key is near the identity, so that tokens attend to similar tokens; value times output
    projection is near the negative identity.

    Parameters
    ----------
    base : str, Initializer or callable, default="glorot_uniform"
        The initializer of all other parameters.
    alpha_qk : float, default=0.7
        Size of the noise in query times key, at least 0.
    beta_qk : float, default=0.7
        Size of the identity in query times key; in trained language models it tends to be negative.
    alpha_vo : float, default=0.4
        Size of the noise in value times output projection, at least 0.
    beta_vo : float, default=0.4
        Size of the negative identity in value times output projection; below 0 the identity is positive.

    Raises
    ------
    InvalidParameterError
        When used on a module without an attention layer with weights that are not frozen.

    Notes
    -----
    Formula, for each ``torch.nn.MultiheadAttention`` of `d` dimensions with heads of `k`, in torch's
    ``(out, in)`` weights, and with the entries of each ``Z`` independently ``N(0, 1 / d)``:

    - in each head ``W_Q^T W_K = U_k S_k V_k^T``, the best approximation of rank `k` to
      ``alpha_qk Z + beta_qk I = U S V^T``, by ``W_Q = S_k^(1/2) U_k^T`` and ``W_K = S_k^(1/2) V_k^T``;
    - over all heads ``(W_O W_V)^T = alpha_vo Z - beta_vo I = U S V^T``, by ``W_V = S^(1/2) U^T`` and
      ``W_O = V S^(1/2)``

    (Trockman and Kolter 2023, section 4; transposed because the paper multiplies rows, ``x W_V W_O``). With several
    heads the mean diagonal of ``W_Q^T W_K`` is below `beta_qk`, because the rank cuts off a part of the
    trace. Some public code draws ``Z`` from a uniform distribution of the same variance, and swaps the factors
    of the second product in torch's weights; their product ``S^(1/2) V^T U S^(1/2)`` has the same
    trace, but is another matrix.

    Products that are not square (`kdim` or `vdim` differ from `embed_dim`), or with a frozen weight,
    keep the values of the base; the record notes it. The paper covers self-attention, with sinusoidal position
    embeddings; cross-attention, which torch implements with the same module, gets the same values. Attention that is
    written with linear layers is not recognized. Each head takes a singular value decomposition, so wide models take
    longer.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> from initsk.initializers import MimeticAttention
    >>> attention = torch.nn.MultiheadAttention(64, 1)
    >>> record = initialize(attention, MimeticAttention(), random_state=0)
    >>> query, key, value = attention.in_proj_weight.detach().chunk(3)
    >>> round((query.T @ key).diagonal().mean().item(), 1)
    0.7
    >>> round((attention.out_proj.weight.detach() @ value).diagonal().mean().item(), 1)
    -0.4
    """

    name = "mimetic_attention"
    synonyms = ("mimetic",)
    family = "architecture-aware"
    formula = "W_Q^T W_K ~ 0.7 Z + 0.7 I, W_O W_V ~ 0.4 Z - 0.4 I, Z ~ N(0, 1/d)"
    reference = "Trockman and Kolter 2023, section 4"
    parameter_constraints = {
        "alpha_qk": real(minimum=0), "beta_qk": real(), "alpha_vo": real(minimum=0), "beta_vo": real(),
    }  # fmt: skip

    base: InitializerLike = "glorot_uniform"
    alpha_qk: float = 0.7
    beta_qk: float = 0.7
    alpha_vo: float = 0.4
    beta_vo: float = 0.4

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if the network has no attention layer to set."""
        if not any(spec.kind == "attention" and spec.role == "weight" for spec in specs):
            raise InvalidParameterError(
                "MimeticAttention found no attention layer to set in the module"
                " (allowed: modules with a torch.nn.MultiheadAttention whose weights are not frozen)"
            )
        super().check_specs(specs)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Return the expected moments of the base, or None for attention layers."""
        return None if spec.role == "weight" and spec.kind == "attention" else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Set the projections of each attention layer."""
        super().refine(network)
        for name, module in network.module.named_modules():
            if isinstance(module, nn.MultiheadAttention):
                query, key, value, out = _projections(name, module)
                for what, first, second, stream, alpha, beta, n_heads in (
                    ("W_Q^T W_K", query, key, "query and key", self.alpha_qk, self.beta_qk, module.num_heads),
                    ("W_O W_V", value, out, "value and output", self.alpha_vo, -self.beta_vo, 1),
                ):
                    if _can_set(network, what, first, second):
                        left, right = _factors(module, alpha, beta, n_heads, network.generator(name, stream))
                        first.write(left)
                        second.write(right.mT if second is out else right)
                        _note(network, f"{what} ~ {alpha:g} Z {beta:+g} I", first, second)


def _factors(
    module: nn.MultiheadAttention, alpha: float, beta: float, n_heads: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``A`` and ``B``, whose rows of each head give the best approximation ``A^T B`` of ``alpha Z + beta I``."""
    width, rank = module.embed_dim, module.embed_dim // n_heads
    dtype = working_type(module.out_proj.weight.dtype)
    lefts, rights = [], []
    for _ in range(n_heads):
        noise = draw_normal((width, width), width**-0.5, generator=generator, dtype=dtype)
        left, sizes, right = torch.linalg.svd(noise.mul_(alpha) + beta * torch.eye(width, dtype=dtype, device="cpu"))
        root = sizes[:rank].sqrt()
        lefts.append((left[:, :rank] * root).mT)
        rights.append(root.unsqueeze(1) * right[:rank])
    return torch.cat(lefts), torch.cat(rights)


@dataclass(frozen=True)
class _Projection:
    """One of the four matrices of an attention layer, stored in rows of a parameter."""

    owner: nn.Module
    attribute: str
    name: str
    first_row: int

    @property
    def stored(self) -> torch.Tensor:
        return getattr(self.owner, self.attribute).detach()

    def write(self, values: torch.Tensor) -> None:
        whole = self.stored.clone()
        whole[self.first_row : self.first_row + len(values)] = values.to(whole)
        set_tensor(self.owner, self.attribute, whole)


def _projections(name: str, module: nn.MultiheadAttention) -> list[_Projection]:
    """Return the query, key, value and output projections."""
    prefix = f"{name}." if name else ""
    found = []
    for number, letter in enumerate("qkv"):
        fused = module.in_proj_weight is not None
        attribute = "in_proj_weight" if fused else f"{letter}_proj_weight"
        found.append(_Projection(module, attribute, prefix + attribute, number * module.embed_dim * fused))
    return [*found, _Projection(module.out_proj, "weight", f"{prefix}out_proj.weight", 0)]


def _can_set(network: Network, what: str, first: _Projection, second: _Projection) -> bool:
    """Return whether this initializer set both weights and their product is square; note why not."""
    if not {first.name, second.name} <= network.specs.keys():
        why = "one of the two is not set here"
    elif first.stored.shape[1] != second.stored.shape[1]:
        why = "the product is not square"
    else:
        return True
    _note(network, f"{what} left as drawn: {why}", first, second)
    return False


def _note(network: Network, text: str, *pair: _Projection) -> None:
    for name in dict.fromkeys(projection.name for projection in pair):
        if name in network.specs:
            network.note(name, text)
