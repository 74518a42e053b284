"""Reasons in words that keep their parts, so that a report can give them in another language."""

from typing import Any

from initsk.text import number_text, visible


class Reason(str):
    """An English sentence that keeps its template and the values in it.

    Parameters
    ----------
    template : str
        The sentence, with a name in braces for each value.
    **values
        Numbers are written with four digits.

    Examples
    --------
    >>> reason = Reason("feeds {activation} (gain {gain})", activation="relu", gain=2**0.5)
    >>> reason, reason.values["activation"]
    ('feeds relu (gain 1.4142)', 'relu')
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, **values: Any) -> "Reason":
        """Make the sentence."""
        reason = super().__new__(cls, template.format(**{name: _shown(value) for name, value in values.items()}))
        reason.template, reason.values = template, values
        return reason

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    return number_text(value) if isinstance(value, float) else value
