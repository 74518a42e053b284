"""Initializers for residual networks and transformers, which scale down or zero the ends of branches."""

from initsk.exceptions import InvalidParameterError
from initsk.initializers._constant import Zeros
from initsk.initializers._unscaled import RandomNormal
from initsk.initializers._variance_scaling import GlorotUniform
from initsk.initializers.core._answers import Choice
from initsk.initializers.core._base import Initializer
from initsk.initializers.core._registry import InitializerLike, get_initializer
from initsk.initializers.core._wrapper import Scaled, Wrapper
from initsk.network import ParameterSpec
from initsk.utils.validation import optional, real, resolved_by


class _ResidualInitializer(Wrapper):
    """Base of initializers that use the residual branches of the network."""

    family = "architecture-aware"
    reads_architecture = True

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if the network has no residual branch."""
        super().check_specs(specs)
        if not any(spec.branch for spec in specs):
            raise InvalidParameterError(
                f"{type(self).__name__} found no residual branch in the module (allowed: a module that adds x + f(x),"
                " with an X that it takes if no input is found, or PerParameter with the names of the branches' layers)"
            )


class ZeroLastInBranch(_ResidualInitializer):
    """Set the end of every residual branch to zero, so that at first only the shortcuts pass the signal.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        The initializer of all other parameters.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches, or whose forward pass cannot be read.

    Notes
    -----
    Formula: if a branch ends in a normalization, the scale of the normalization is 0 (Goyal et al. 2017, section 5.1;
    torchvision's ``zero_init_residual``); if it ends in another layer, the weight of that layer is 0. The base fills
    all other parameters.

    Examples
    --------
    >>> import torch
    >>> from initsk import initialize
    >>> class Block(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.a, self.b = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    ...     def forward(self, x):
    ...         return x + self.b(self.a(x).relu())
    >>> initialize(Block(), "zero_last_in_branch").to_frame()[["name", "why"]].iloc[2].tolist()
    ['b.weight', 'last layer of a residual branch']
    """

    name = "zero_last_in_branch"
    synonyms = ("zero_init_residual", "zero_gamma")
    formula = "the last weight, or scale, of each branch 0; else the base's"
    reference = "Goyal et al. 2017, section 5.1"

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return zeros for the end of a branch, else the choice of the base."""
        branch = spec.branch
        if branch is not None and branch.is_last and spec.role == "weight":
            if spec.kind == "normalization":
                return Choice(Zeros(), "last normalization of a residual branch")
            if not branch.normalized:
                return Choice(Zeros(), "last layer of a residual branch")
        return self.from_base(spec)


class Fixup(_ResidualInitializer):
    """Scale the branches of a residual network so that it trains without normalization.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        The initializer of layers outside of branches, and, times a factor, of layers on branches.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches, or whose forward pass cannot be read.

    Notes
    -----
    Formula: with ``L`` branches of ``m`` weight layers, layers on a branch have the values of the base times
    ``L ** (-1 / (2 m - 2))``; the last layer of each branch and the output layer are 0 (Zhang et al. 2019,
    section 3, rules 1 and 2). Rule 3 adds scalar multipliers and biases; the module must define them. The authors'
    code divides He's variance by fan_out: ``Fixup(HeNormal("fan_out"))``.

    Examples
    --------
    >>> from initsk.initializers import Fixup
    >>> from initsk.network import Branch, ParameterSpec
    >>> spec = ParameterSpec((8, 8), 8, 8, branch=Branch(n_branches=16, depth=2, position=1))
    >>> Fixup().choose(spec).initializer
    Scaled(base=HeNormal(), factor=0.25)
    """

    name = "fixup"
    formula = "in branches L^(-1/(2m-2)) times the base's, last of a branch and output 0"
    reference = "Zhang, Dauphin and Ma 2019, section 3"

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return zeros for the end of a branch and the output, else the choice of the base, scaled on branches."""
        branch = spec.branch
        if spec.role == "weight" and spec.kind != "normalization":
            if spec.place == "output":
                return Choice(Zeros(), "output layer")
            if branch is not None and branch.is_last:
                return Choice(Zeros(), "last layer of a residual branch")
            if branch is not None:
                factor = branch.n_branches ** (-1 / (2 * branch.depth - 2))
                return self.from_base(spec, factor, f"layer {branch.position} of {branch.depth} on a branch")
        return self.from_base(spec)


class DepthScaledResidual(_ResidualInitializer):
    """Divide the last layer of every branch by the root of the number of branches, as GPT-2 does.

    The sum of all branches then has the variance of a single branch at any depth.

    Parameters
    ----------
    base : str, Initializer, callable or None, default=None
        The initializer of all parameters; None means GPT-2's ``RandomNormal(0.02)``.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches, or whose forward pass cannot be read.

    Notes
    -----
    Formula: last layers of branches ``base / sqrt(L)``, with ``L`` branches in the network, two per transformer block;
    the base fills all other parameters, including embeddings (Radford et al. 2019, section 2.3).
    The code that the authors published differs from the paper: 0.02 for tokens, 0.01 for positions, and no factor.

    Examples
    --------
    >>> from initsk.initializers import DepthScaledResidual
    >>> from initsk.network import Branch, ParameterSpec
    >>> spec = ParameterSpec((8, 8), 8, 8, branch=Branch(n_branches=4, depth=2, position=2))
    >>> DepthScaledResidual().choose(spec).initializer
    Scaled(base=RandomNormal(std=0.02), factor=0.5)
    """

    name = "depth_scaled_residual"
    synonyms = ("gpt2",)
    formula = "W ~ N(0, 0.02^2), last of each of L branches divided by sqrt(L)"
    reference = "Radford et al. 2019, section 2.3"
    parameter_constraints = {"base": optional(resolved_by(get_initializer))}
    default_base = RandomNormal(0.02)

    base: InitializerLike | None = None

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the choice of the base, scaled at the end of a branch."""
        branch = spec.branch
        is_scaled = spec.role == "weight" and spec.kind != "normalization"
        if is_scaled and branch is not None and branch.is_last and branch.n_branches > 1:
            return self.from_base(spec, branch.n_branches**-0.5, f"last layer of one of {branch.n_branches} branches")
        return self.from_base(spec)


class MaximalUpdate(Wrapper):
    """Scale the output layer so that features learn at the same rate at every width (muP).

    Parameters
    ----------
    base : str, Initializer or callable, default="lecun_normal"
        The initializer of the standard parametrization, with a variance proportional to ``1 / fan_in``.
    base_width : float, default=1.0
        The fan_in of the output layer at which its factor is 1; above 0.

    Raises
    ------
    InvalidParameterError
        When used with a parameter that is not allowed.

    Notes
    -----
    Formula: the base fills input and hidden weights; output weights are the base times ``sqrt(base_width / fan_in)``.
    With LeCun's variance and `base_width` 1 their variance is ``1 / fan_in^2`` (Yang et al. 2022, table 3). The
    initialization is one half of muP. The other half: with Adam, divide the learning rates of hidden and output weights
    by their fan_in relative to the base model's fan_in, and divide attention by the dimension of a head instead of its
    root. The authors also set output and query weights to zero. Their package ``mup`` stores the same model in another
    form (table 8): a constant variance, and a multiplier in ``forward``.

    Examples
    --------
    >>> from initsk.initializers import MaximalUpdate
    >>> from initsk.network import ParameterSpec
    >>> MaximalUpdate(base_width=64).choose(ParameterSpec((10, 256), 256, 10, place="output")).initializer
    Scaled(base=LeCunNormal(), factor=0.5)
    """

    name = "maximal_update"
    synonyms = ("mup",)
    family = "architecture-aware"
    formula = "output weights times sqrt(base_width / fan_in), else the base's"
    reference = "Yang et al. 2022, table 3"
    reads_architecture = True
    parameter_constraints = {"base_width": real(above=0)}

    base: InitializerLike = "lecun_normal"
    base_width: float = 1.0

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the choice of the base, scaled in the output layer."""
        if spec.place == "output" and spec.role == "weight":
            factor = (self.base_width / spec.fan("fan_in")) ** 0.5
            return self.from_base(spec, factor, "output layer")
        return self.from_base(spec)


class TFixup(Initializer):
    """Scale the weights of a transformer so that it trains without warm-up and without layer normalization.

    Raises
    ------
    InvalidParameterError
        When used on a module without torch's transformer layers.

    Notes
    -----
    Formula: embeddings ``N(0, 1 / d)``, times ``(9 N)^(-1/4)``; all other weights Xavier uniform. In torch's
    transformer layers the value and output projections of attention and both linear layers are then multiplied by
    ``0.67 N^(-1/4)`` in an encoder of ``N`` layers and by ``(9 N)^(-1/4)`` in a decoder (Huang et al. 2020,
    section 3). The authors derive it for an encoder with a decoder, whose ``N`` the embeddings then take; without a
    decoder, the embeddings take the ``N`` of the encoder. Query and key projections have fairseq's factor
    of ``1 / sqrt(2)``, as in the authors' code for keys and values with the width of the queries.

    Examples
    --------
    >>> from initsk.initializers import TFixup
    >>> from initsk.network import ParameterSpec
    >>> TFixup().choose(ParameterSpec((8, 32), 32, 8, stack=("decoder", 9))).initializer
    Scaled(base=GlorotUniform(), factor=0.3333333333333333)
    """

    name = "t_fixup"
    synonyms = ("tfixup",)
    family = "architecture-aware"
    formula = "Xavier; values, outputs and linear layers times 0.67 N^(-1/4) or (9N)^(-1/4)"
    reference = "Huang et al. 2020, section 3"
    reads_architecture = True

    def check_specs(self, specs: list[ParameterSpec]) -> None:
        """Raise if there is no transformer layer."""
        if not any(spec.stack for spec in specs):
            raise InvalidParameterError(
                "TFixup found no transformer layer in the module (allowed: modules with"
                " torch.nn.TransformerEncoderLayer or TransformerDecoderLayer)"
            )

    def choose(self, spec: ParameterSpec) -> Choice | None:
        """Return the scaled initializer of the layer's kind and stack."""
        if spec.role != "weight" or not spec.is_known:
            return None
        stack, n_layers = spec.stack or ("", 0)
        if spec.kind == "embedding":
            embedding: Initializer = RandomNormal(spec.weight_shape[1] ** -0.5)
            return Choice(Scaled(embedding, (9 * n_layers) ** -0.25) if stack else embedding, "embedding")
        if spec.block in ("q", "k") and spec.kind == "attention":
            return Choice(Scaled(GlorotUniform(), 0.5**0.5), "query or key")
        if stack in ("encoder", "decoder"):
            factor = 0.67 * n_layers**-0.25 if stack == "encoder" else (9 * n_layers) ** -0.25
            return Choice(Scaled(GlorotUniform(), factor), f"layer of the {stack} (number of layers: {n_layers})")
        return Choice(GlorotUniform(), "outside of the transformer layers")
