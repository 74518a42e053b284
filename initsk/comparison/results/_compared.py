"""The parameter whose values a comparison compares."""

from collections.abc import Mapping
from typing import Any

from initsk.comparison.design._model_builder import takes_initializer


def compared_parameter(settings: Mapping[str, Any]) -> str:
    """Return the name of the parameter that is compared; "" if its values are initializers.

    Parameters
    ----------
    settings : mapping
        `ComparisonResult.settings`.

    Examples
    --------
    >>> compared_parameter({"parameter": "lr"}), compared_parameter({"parameter": "mlp__initializer"})
    ('lr', '')
    """
    name = str(settings.get("parameter", ""))
    return "" if takes_initializer(name) else name
