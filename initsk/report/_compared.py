"""The words for what was compared: initializers, or the values of another parameter."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from initsk.comparison.results import compared_parameter
from initsk.language import translate as _


class Compared(NamedTuple):
    """Words in the current language: for one and for several of what was compared, and the title of their column.

    `parameter` is "" if initializers were compared.
    """

    parameter: str
    one: str
    several: str
    column: str

    def words(self) -> dict[str, str]:
        """Return the values of the braces of messages."""
        return {"one": self.one, "several": self.several}


def compared_in(settings: Mapping[str, Any]) -> Compared:
    """Return the words for what a comparison compared.

    Parameters
    ----------
    settings : mapping
        `ComparisonResult.settings`.

    Examples
    --------
    >>> compared_in({"parameter": "lr"}).several, compared_in({"parameter": "initializer"}).several
    ('values of lr', 'initializers')
    """
    name = compared_parameter(settings)
    if not name:
        return Compared("", _("initializer"), _("initializers"), _("Initializer"))
    return Compared(name, _("value of {parameter}", parameter=name), _("values of {parameter}", parameter=name), name)
