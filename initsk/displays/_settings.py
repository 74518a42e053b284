"""Settings of matplotlib that a user changed: they replace the style of the displays."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from initsk.utils.global_state import GLOBAL_STATE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# In SVG this becomes the page's own text color, so that pictures follow light and dark.
INK = "#1b1f24"
# The size of labels in points, which `font.size` replaces.
_BASE = 9.0
SMALLEST_SCALE = 0.62
# Panels that are a little smaller than the display's own have texts of the same size.
_SLACK = 1.4
_scale: ContextVar[float] = ContextVar("_scale", default=1.0)
_is_apart: ContextVar[bool] = ContextVar("_is_apart", default=False)


def chosen(name: str, default: Any) -> Any:
    """Return a setting of matplotlib if it was changed, otherwise the display's own value."""
    from matplotlib import rcParams, rcParamsDefault

    setting: Any = name
    value = rcParams[setting]
    return default if value == rcParamsDefault[setting] else value


def ink(name: str = "text.color") -> str:
    """Return the color of texts, or of what else the setting is for."""
    return str(chosen(name, INK))


def points(size: float, name: str = "") -> float:
    """Return the size of a text: the setting for its kind, or the display's own size, smaller in small panels."""
    from matplotlib.font_manager import FontProperties

    given = chosen(name, None) if name else None
    if given is not None:
        return float(FontProperties(size=given).get_size_in_points())
    base = chosen("font.size", None)
    return size * (base / _BASE if base else _scale.get())


def text_scale() -> float:
    """Return the size of a text relative to the display's own size."""
    return points(1)


@contextmanager
def own_scale() -> Iterator[None]:
    """Give each picture a scale of its own."""
    token = _scale.set(1.0)
    try:
        yield
    finally:
        _scale.reset(token)


def set_scale(ratio: float) -> None:
    """Make the texts of the picture smaller, where its panels have only this ratio of the display's own size."""
    _scale.set(min(max(_SLACK * ratio, SMALLEST_SCALE), 1.0))


def has_own_size() -> bool:
    """Return whether a new figure has the display's own size and fonts, for which its margins were made."""
    from matplotlib import rcParams

    kinds = ("font.", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
    return all(chosen(name, None) is None for name in ("figure.figsize", *(n for n in rcParams if n.startswith(kinds))))


def new_figure() -> "Figure":
    """Return a figure, which `pyplot.show` shows, as those of `pyplot.subplots`."""
    from matplotlib.figure import Figure

    layout: Any = None if has_own_size() else "constrained"
    if _is_apart.get() or threading.current_thread() is not threading.main_thread():
        return Figure(layout=layout)
    from matplotlib import pyplot

    return pyplot.figure(layout=layout)


def forget_inline(figure: "Figure") -> None:
    """Let the backend of notebooks not show a figure at the end of the cell, because the notebook shows it already."""
    import matplotlib

    if "matplotlib.pyplot" in sys.modules and "inline" in str(matplotlib.get_backend()):
        sys.modules["matplotlib.pyplot"].close(figure)


@contextmanager
def restored_after_error(display: Any) -> Iterator[None]:
    """Give a display its attributes back if the block fails, and close the figures that the block opened in pyplot."""

    def opened() -> set[int]:
        return set(sys.modules["matplotlib.pyplot"].get_fignums()) if "matplotlib.pyplot" in sys.modules else set()

    attributes, before = dict(vars(display)), opened()
    try:
        yield
    except BaseException:
        for number in opened() - before:
            sys.modules["matplotlib.pyplot"].close(number)
        vars(display).clear()
        vars(display).update(attributes)
        raise


@contextmanager
def apart_from_pyplot() -> Iterator[None]:
    """Make figures that pyplot does not know; it would keep them and show them."""
    token = _is_apart.set(True)
    try:
        yield
    finally:
        _is_apart.reset(token)


@contextmanager
def without_tex() -> Iterator[None]:
    """Write texts as they are: in TeX, names such as ``hidden_1`` and the sign for percent are errors."""
    from matplotlib import rc_context, rcParams

    if not rcParams["text.usetex"]:
        yield
        return
    with GLOBAL_STATE.held(), rc_context({"text.usetex": False}):
        yield


@contextmanager
def report_style() -> Iterator[None]:
    """Draw in the style of reports, whatever the user's settings of matplotlib are, and apart from pyplot."""
    from matplotlib import style

    # Threads share the settings.
    with GLOBAL_STATE.held(), style.context("default"), apart_from_pyplot():
        yield
