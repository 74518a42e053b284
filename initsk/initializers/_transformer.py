"""Schemes by width and for transformers: maximal update, T-Fixup."""

from typing import ClassVar

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Choice, Initializer
from initsk.initializers._free import RandomNormal
from initsk.initializers._named_scaling import GlorotUniform
from initsk.initializers._registry import InitializerLike
from initsk.initializers._scaled import Scaled, Wrapper
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, real


class MaximalUpdate(Wrapper):
    """Scale the output layer so that features learn alike at every width (muP).

    Parameters
    ----------
    base : str, Initializer or callable, default="lecun_normal"
        The standard parametrization, of variance proportional to ``1 / fan_in``.
    base_width : float, default=1.0
        Fan_in of the output layer at which it is the base's; above 0.

    Raises
    ------
    InvalidParameterError
        When used with a parameter that is not allowed.

    Notes
    -----
    Law: input and hidden weights as the base; output weights the base's times ``sqrt(base_width / fan_in)``, so with
    LeCun's law and `base_width` 1 their variance is ``1 / fan_in^2`` (Yang et al. 2022, table 3). The initialization is
    half of muP: with Adam the learning rate of hidden and output weights must be divided by their fan_in over that of
    the base model as well, and attention by the dimension of a head instead of its root. The authors also begin output
    and query weights at zero. Their package ``mup`` stores the same model otherwise (table 8): a variance that does not
    fall, and a multiplier in ``forward``.

    Examples
    --------
    >>> from initsk.initializers import MaximalUpdate, Site
    >>> MaximalUpdate(base_width=64).choose(Site((10, 256), 256, 10, place="output")).initializer
    Scaled(base=LeCunNormal(), factor=0.5)
    """

    name = "maximal_update"
    synonyms = ("mup",)
    family = "architecture-aware"
    law = "output weights times sqrt(base_width / fan_in), else the base's"
    reference = "Yang et al. 2022, table 3"
    _reads_architecture = True
    _constraints: ClassVar[dict[str, Constraint]] = {**Wrapper._constraints, "base_width": real(above=0)}

    def __init__(self, base: InitializerLike = "lecun_normal", base_width: float = 1.0) -> None:
        self.base = base
        self.base_width = base_width

    def choose(self, site: Site) -> Choice | None:
        """Scale the output layer."""
        if site.place == "output" and site.role == "weight":
            factor = (self.base_width / site.fan("fan_in")) ** 0.5
            return self.from_base(site, factor, "output layer")
        return self.from_base(site)


class TFixup(Initializer):
    """Train transformers without warm-up and without layer normalisation.

    Raises
    ------
    InvalidParameterError
        When used on a module without torch's transformer layers.

    Notes
    -----
    Law: embeddings ``N(0, 1 / d)``, times ``(9 N)^(-1/4)``; everything else Xavier uniform. In torch's transformer
    layers the value and output projections of attention and both linear layers are then multiplied by
    ``0.67 N^(-1/4)`` in an encoder of ``N`` layers and by ``(9 N)^(-1/4)`` in a decoder (Huang et al. 2020,
    section 3). The authors derive it for encoders with a decoder; for an encoder alone the embeddings take its ``N``,
    and beside stacks of both kinds all embeddings take the decoder's. Query and key projections have fairseq's factor
    of ``1 / sqrt(2)``, as in the authors' code where keys and values have the width of the queries.

    Examples
    --------
    >>> from initsk.initializers import Site, TFixup
    >>> TFixup().choose(Site((8, 32), 32, 8, stack=("decoder", 9))).initializer
    Scaled(base=GlorotUniform(), factor=0.3333333333333333)
    """

    name = "t_fixup"
    synonyms = ("tfixup",)
    family = "architecture-aware"
    law = "Xavier; values, outputs and linear layers times 0.67 N^(-1/4) or (9N)^(-1/4)"
    reference = "Huang et al. 2020, section 3"
    _reads_architecture = True

    def check_sites(self, sites: list[Site]) -> None:
        """Raise if there is no transformer layer."""
        if not any(site.stack for site in sites):
            raise InvalidParameterError(
                "TFixup found no transformer layer in the module (allowed: modules with"
                " torch.nn.TransformerEncoderLayer or TransformerDecoderLayer)"
            )

    def choose(self, site: Site) -> Choice | None:
        """Choose by the layer's stack."""
        if site.role != "weight" or not site.is_known:
            return None
        stack, n_layers = site.stack or ("", 0)
        if site.kind == "embedding":
            embedding: Initializer = RandomNormal(site.weight_shape[1] ** -0.5)
            return Choice(Scaled(embedding, (9 * n_layers) ** -0.25) if stack else embedding, "embedding")
        if site.block in ("q", "k") and site.kind == "attention":
            return Choice(Scaled(GlorotUniform(), 0.5**0.5), "query or key")
        if stack in ("encoder", "decoder"):
            factor = 0.67 * n_layers**-0.25 if stack == "encoder" else (9 * n_layers) ** -0.25
            return Choice(Scaled(GlorotUniform(), factor), f"one of {n_layers} {stack} layers")
        return Choice(GlorotUniform(), "outside of the transformer layers")
