"""Who fills what: the three initializers of a call, and the defaults."""

from initsk.exceptions import InvalidParameterError
from initsk.initializers import Choice, Initializer, InitializerLike, Site, Zeros, get_initializer
from initsk.modules._plan import PlannedParameter
from initsk.utils._language import Sentence, message


class Chooser:
    """The initializers of weights, biases and output layers.

    Parameters
    ----------
    initializer : str, Initializer or callable
    bias, output : str, Initializer, callable or None
    """

    def __init__(
        self, initializer: InitializerLike, bias: InitializerLike | None, output: InitializerLike | None
    ) -> None:
        self.initializer = get_initializer(initializer)
        self._bias = None if bias is None else get_initializer(bias)
        self._output = None if output is None else get_initializer(output)
        self.given = [part for part in (self.initializer, self._bias, self._output) if part is not None]

    @property
    def reads_architecture(self) -> bool:
        """Whether the module must be traced."""
        return self._output is not None or any(part.reads_architecture for part in self.given)

    def check_sites(self, sites: list[Site]) -> None:
        """Raise if any of the initializers has nothing to do in this network."""
        for part in self.given:
            part.check_sites(sites)
        if self._output is not None and not any(self.taker(site) is self._output for site in sites):
            raise InvalidParameterError(
                "output_initializer has nothing to fill: no last layer with a weight of its own was found"
                " (allowed: PerParameter with the layer's name; the weight must be neither frozen nor tied to another)"
            )

    def taker(self, site: Site) -> Initializer:
        """Return which of the initializers a site is for; it alone may refine it."""
        if self._bias is not None and site.role == "bias" and site.is_known:
            return self._bias
        last = site.role == "weight" and site.place == "output" and site.is_known
        return self._output if self._output is not None and last else self.initializer

    def choices(self, step: PlannedParameter) -> tuple[Choice, ...]:
        """Return who fills each site of a parameter; nothing where it is left."""
        found = [self._choice(site) for site in step.sites]
        chosen = tuple(choice for choice in found if choice is not None)
        if chosen and len(chosen) < len(found):
            left = ", ".join(site.block for site, choice in zip(step.sites, found, strict=True) if choice is None)
            raise InvalidParameterError(
                f"nothing fills the blocks {left} of {step.name}, and others are filled (allowed: all of them, or none)"
            )
        return chosen

    def _choice(self, site: Site) -> Choice | None:
        taker = self.taker(site)
        choice = taker.choose(site)
        if choice is not None:
            return choice
        if taker is not self.initializer:
            return Choice(taker, f"{'bias' if taker is self._bias else 'output'} initializer")
        if site.role == "bias" and site.is_known:
            return Choice(Zeros(), Sentence(message("biases are zero unless said otherwise")))
        return None
