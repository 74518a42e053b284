"""Attention that begins as it often ends: near the identity."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from initsk.exceptions import InvalidParameterError
from initsk.initializers._registry import InitializerLike
from initsk.initializers._scaled import Wrapper
from initsk.initializers.core._base import Choice, ExpectedMoments
from initsk.initializers.core._draws import draw_normal
from initsk.network import Network, ParameterSpec, set_tensor
from initsk.utils.torch_settings import working_type
from initsk.utils.validation import Constraint, real


class MimeticAttention(Wrapper):
    """Give attention layers the products of weights that are found in trained vision transformers.

    Query times key is near the identity, so that tokens attend to those like them; value times output
    projection is near the negative identity.

    Parameters
    ----------
    base : str, Initializer or callable, default="glorot_uniform"
        What fills everything else.
    alpha_qk : float, default=0.7
        Size of the noise in query times key, at least 0.
    beta_qk : float, default=0.7
        Size of the identity in query times key; trained language models rather have a negative one.
    alpha_vo : float, default=0.4
        Size of the noise in value times output projection, at least 0.
    beta_vo : float, default=0.4
        Size of the negative identity in value times output projection; below 0 the identity is positive.

    Raises
    ------
    InvalidParameterError
        When used on a module without an attention layer whose weights are to be set.

    Notes
    -----
    Law, for each ``torch.nn.MultiheadAttention`` of `d` dimensions with heads of `k`, in torch's
    ``(out, in)`` weights, and with the entries of each ``Z`` independently ``N(0, 1 / d)``:

    - in each head ``W_Q^T W_K = U_k S_k V_k^T``, the best approximation of rank `k` to
      ``alpha_qk Z + beta_qk I = U S V^T``, by ``W_Q = S_k^(1/2) U_k^T`` and ``W_K = S_k^(1/2) V_k^T``;
    - over all heads ``(W_O W_V)^T = alpha_vo Z - beta_vo I = U S V^T``, by ``W_V = S^(1/2) U^T`` and
      ``W_O = V S^(1/2)``

    (Trockman and Kolter 2023, section 4; the transpose because the paper multiplies rows, ``x W_V W_O``). With several
    heads the mean diagonal of ``W_Q^T W_K`` is below `beta_qk`, since part of the trace is beyond
    the rank. Code in circulation draws ``Z`` from a uniform distribution of the same variance, and stores the factors
    of the second product in torch's weights the other way round; their product ``S^(1/2) V^T U S^(1/2)`` has the same
    trace, but is another matrix.

    Products that are not square (`kdim` or `vdim` differ from `embed_dim`), or one of whose weights is frozen,
    keep the base's values, as the record says. The paper is about self-attention, and adds sinusoidal position
    embeddings of its own; cross-attention, which torch
    does not tell apart, is set alike. Attention that is written out in linear layers is not
    recognised. Each head takes a singular value decomposition, so wide models take a while.

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
    _base_may_refine = True
    formula = "W_Q^T W_K ~ 0.7 Z + 0.7 I, W_O W_V ~ 0.4 Z - 0.4 I, Z ~ N(0, 1/d)"
    reference = "Trockman and Kolter 2023, section 4"
    parameter_constraints: ClassVar[dict[str, Constraint]] = {
        **Wrapper.parameter_constraints,
        "alpha_qk": real(minimum=0),
        "beta_qk": real(),
        "alpha_vo": real(minimum=0),
        "beta_vo": real(),
    }

    def __init__(
        self,
        base: InitializerLike = "glorot_uniform",
        alpha_qk: float = 0.7,
        beta_qk: float = 0.7,
        alpha_vo: float = 0.4,
        beta_vo: float = 0.4,
    ) -> None:
        self.base = base
        self.alpha_qk = alpha_qk
        self.beta_qk = beta_qk
        self.alpha_vo = alpha_vo
        self.beta_vo = beta_vo

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if there is no attention layer to set."""
        if not any(spec.kind == "attention" and spec.role == "weight" for spec in specs):
            raise InvalidParameterError(
                "MimeticAttention found no attention layer to set in the module"
                " (allowed: modules with a torch.nn.MultiheadAttention whose weights are not frozen)"
            )
        super().check_specs(specs)

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Follow the base, whose values are replaced in attention layers afterwards."""
        return self.from_base(spec)

    def expected_moments(self, spec: ParameterSpec) -> ExpectedMoments | None:
        """Say what the base expected, except for attention layers."""
        return None if spec.role == "weight" and spec.kind == "attention" else super().expected_moments(spec)

    def refine(self, network: Network) -> None:
        """Set the projections of each attention layer."""
        super().refine(network)
        for name, module in network.module.named_modules():
            if isinstance(module, nn.MultiheadAttention):
                query, key, value, out = _projections(name, module)
                if _can_set(network, "W_Q^T W_K", query, key):
                    values = self._query_key(module, network.generator(name, "query and key"))
                    _write(network, f"W_Q^T W_K ~ {self.alpha_qk:g} Z {self.beta_qk:+g} I", (query, key), values)
                if _can_set(network, "W_O W_V", value, out):
                    values = self._value_out(module, network.generator(name, "value and output"))
                    _write(network, f"W_O W_V ~ {self.alpha_vo:g} Z {-self.beta_vo:+g} I", (value, out), values)

    def _query_key(self, module: nn.MultiheadAttention, generator: torch.Generator) -> list[torch.Tensor]:
        rank = module.embed_dim // module.num_heads
        heads = [_factors(module, self.alpha_qk, self.beta_qk, rank, generator) for _ in range(module.num_heads)]
        return [torch.cat([left.mT for left, _ in heads]), torch.cat([right for _, right in heads])]

    def _value_out(self, module: nn.MultiheadAttention, generator: torch.Generator) -> list[torch.Tensor]:
        left, right = _factors(module, self.alpha_vo, -self.beta_vo, module.embed_dim, generator)
        return [left.mT, right.mT]


def _factors(
    module: nn.MultiheadAttention, alpha: float, beta: float, rank: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``(d, rank)`` and ``(rank, d)``, whose product is ``alpha Z + beta I`` as closely as the rank allows."""
    width = module.embed_dim
    dtype = working_type(module.out_proj.weight.dtype)
    noise = draw_normal((width, width), width**-0.5, generator=generator, dtype=dtype)
    left, sizes, right = torch.linalg.svd(noise.mul_(alpha) + beta * torch.eye(width, dtype=dtype, device="cpu"))
    root = sizes[:rank].sqrt()
    return left[:, :rank] * root, root.unsqueeze(1) * right[:rank]


@dataclass(frozen=True)
class _Projection:
    """One of the four matrices of an attention layer, and the rows of the parameter that it is stored in."""

    owner: nn.Module
    attribute: str
    name: str
    first_row: int

    @property
    def stored(self) -> torch.Tensor:
        values: torch.Tensor = getattr(self.owner, self.attribute).detach()
        return values

    def write(self, values: torch.Tensor) -> None:
        whole = self.stored.clone()
        whole[self.first_row : self.first_row + len(values)] = values.to(whole)
        set_tensor(self.owner, self.attribute, whole)


def _projections(name: str, module: nn.MultiheadAttention) -> list[_Projection]:
    """Return query, key, value and output."""
    prefix = f"{name}." if name else ""
    found = []
    for number, letter in enumerate("qkv"):
        fused = module.in_proj_weight is not None
        attribute = "in_proj_weight" if fused else f"{letter}_proj_weight"
        found.append(_Projection(module, attribute, prefix + attribute, number * module.embed_dim * fused))
    return [*found, _Projection(module.out_proj, "weight", f"{prefix}out_proj.weight", 0)]


def _can_set(network: Network, what: str, first: _Projection, second: _Projection) -> bool:
    """Say whether both are ours and the product is square; otherwise note why not."""
    why = ""
    if not (first.name in network.specs and second.name in network.specs):
        why = "one of the two is not set here"
    elif first.stored.shape[1] != second.stored.shape[1]:
        why = "the product is not square"
    if why:
        _note(network, f"{what} left as drawn: {why}", (first, second))
    return not why


def _write(network: Network, what: str, pair: tuple[_Projection, ...], values: list[torch.Tensor]) -> None:
    for projection, new in zip(pair, values, strict=True):
        projection.write(new)
    _note(network, what, pair)


def _note(network: Network, text: str, pair: tuple[_Projection, ...]) -> None:
    for name in dict.fromkeys(projection.name for projection in pair):
        if name in network.specs:
            network.note(name, text)
