"""Schemes for residual networks: the branches begin small, or at nothing."""

from typing import ClassVar

from initsk.exceptions import InvalidParameterError
from initsk.initializers._base import Choice, Initializer
from initsk.initializers._constant import Zeros
from initsk.initializers._free import RandomNormal
from initsk.initializers._registry import InitializerLike, get_initializer
from initsk.initializers._scaled import Wrapper
from initsk.initializers._site import Site
from initsk.utils._validation import Constraint, optional, resolved_by


class _ResidualScheme(Wrapper):
    """A scheme that needs to know the residual branches."""

    family = "architecture-aware"
    _reads_architecture = True

    def check_sites(self, sites: list[Site]) -> None:
        """Raise if no residual branch was found."""
        super().check_sites(sites)
        if not any(site.branch for site in sites):
            raise InvalidParameterError(
                f"{type(self).__name__} found no residual branch in the module (allowed: a module whose additions"
                " x + f(x) torch.fx can trace, or PerParameter with the names of the branches' layers)"
            )


class ZeroLastInBranch(_ResidualScheme):
    """Begin every residual branch at zero, so that the network begins as its shortcuts.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        What fills everything else.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches that torch.fx can trace.

    Notes
    -----
    Law: where a branch ends in a normalisation its scale is 0 (Goyal et al. 2017, section 5.1; torchvision's
    ``zero_init_residual``); where it ends in a layer, that layer's weight is. Everything else
    is the base's.

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
    law = "the last weight, or scale, of each branch 0; else the base's"
    reference = "Goyal et al. 2017, section 5.1"

    def choose(self, site: Site) -> Choice | None:
        """Set the end of a branch to zero."""
        branch = site.branch
        if branch is not None and branch.is_last and site.role == "weight":
            if site.kind == "normalisation":
                return Choice(Zeros(), "last normalisation of a residual branch")
            if not branch.normalised:
                return Choice(Zeros(), "last layer of a residual branch")
        return self.from_base(site)


class Fixup(_ResidualScheme):
    """Train residual networks without normalisation.

    Parameters
    ----------
    base : str, Initializer or callable, default="he_normal"
        What fills the layers outside of branches, and by a factor those within.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches that torch.fx can trace.

    Notes
    -----
    Law: with ``L`` branches of ``m`` weight layers, those on a branch are the base's times
    ``L ** (-1 / (2 m - 2))``; the last of each branch and the output layer are 0 (Zhang et al. 2019,
    section 3, rules 1 and 2). Rule 3 adds scalar multipliers and biases, which are the module's to
    have. The authors' code counts He's variance by fan_out: ``Fixup(HeNormal("fan_out"))``.

    Examples
    --------
    >>> from initsk.initializers import Branch, Fixup, Site
    >>> site = Site((8, 8), 8, 8, branch=Branch(n_branches=16, depth=2, position=1))
    >>> Fixup().choose(site).initializer
    Scaled(base=HeNormal(), factor=0.25)
    """

    name = "fixup"
    law = "in branches L^(-1/(2m-2)) times the base's, last of a branch and output 0"
    reference = "Zhang, Dauphin and Ma 2019, section 3"

    def choose(self, site: Site) -> Choice | None:
        """Scale the layers of a branch and set its end to zero."""
        branch = site.branch
        if site.role == "weight" and site.kind != "normalisation":
            if site.place == "output":
                return Choice(Zeros(), "output layer")
            if branch is not None and branch.is_last:
                return Choice(Zeros(), "last layer of a residual branch")
            if branch is not None:
                factor = branch.n_branches ** (-1 / (2 * branch.depth - 2))
                return self.from_base(site, factor, f"layer {branch.position} of {branch.depth} on a branch")
        return self.from_base(site)


class DepthScaledResidual(_ResidualScheme):
    """Divide the last layer of every branch by the root of their number, as GPT-2 does.

    The sum of all branches then has the variance of one, whatever the depth.

    Parameters
    ----------
    base : str, Initializer, callable or None, default=None
        What fills everything; None means GPT-2's ``RandomNormal(0.02)``.

    Raises
    ------
    InvalidParameterError
        When used on a module without residual branches that torch.fx can trace.

    Notes
    -----
    Law: last layers of branches ``base / sqrt(L)``, with ``L`` branches in all, two per transformer block;
    everything else the base's, embeddings too (Radford et al. 2019, section 2.3).
    The paper says it so; the code that the authors published has 0.02 for tokens, 0.01 for positions, and no factor.

    Examples
    --------
    >>> from initsk.initializers import Branch, DepthScaledResidual, Site
    >>> site = Site((8, 8), 8, 8, branch=Branch(n_branches=4, depth=2, position=2))
    >>> DepthScaledResidual().choose(site).initializer
    Scaled(base=RandomNormal(std=0.02), factor=0.5)
    """

    name = "depth_scaled_residual"
    synonyms = ("gpt2",)
    law = "W ~ N(0, 0.02^2), last of each of L branches divided by sqrt(L)"
    reference = "Radford et al. 2019, section 2.3"
    _constraints: ClassVar[dict[str, Constraint]] = {"base": optional(resolved_by(get_initializer))}

    def __init__(self, base: InitializerLike | None = None) -> None:
        self.base = base

    @property
    def filling(self) -> Initializer:
        """The base, or GPT-2's."""
        return RandomNormal(0.02) if self.base is None else super().filling

    def choose(self, site: Site) -> Choice | None:
        """Scale the end of a branch."""
        branch = site.branch
        if branch is not None and branch.is_last and site.role == "weight" and site.kind != "normalisation":
            return self.from_base(site, branch.n_branches**-0.5, f"last layer of one of {branch.n_branches} branches")
        return self.from_base(site)
