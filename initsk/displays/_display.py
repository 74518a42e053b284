"""The base of all displays: the axes that they draw into, and saving."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

import numpy as np

from initsk.displays._render import FORMATS, render
from initsk.displays._style import make_panels
from initsk.exceptions import InvalidParameterError
from initsk.language import use_language
from initsk.utils.files import as_path, write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_PANELS = 400
_P = ParamSpec("_P")
_T = TypeVar("_T")


def in_given_language(plot: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let `translate` use the argument ``language`` of `plot` while it draws, and numpy be quiet about overflows."""

    @wraps(plot)
    def plot_in_language(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        language: Any = kwargs.get("language", "en")
        with use_language(language), np.errstate(all="ignore"):
            return plot(*args, **kwargs)

    return plot_in_language


def check_panels(n: int) -> None:
    """Raise InvalidParameterError if a picture would have more panels than a reader or matplotlib can take.

    Examples
    --------
    >>> check_panels(400)
    """
    if n > _MAX_PANELS:
        allowed = f"at most {_MAX_PANELS}; choose layers, or draw them with LayerStripDisplay or DepthDisplay"
        raise InvalidParameterError(f"plot: {n} panels are too many (allowed: {allowed})")


class Display(ABC):
    """A picture of frames: `from_...` computes what it shows, `plot` draws it, `save` writes it.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure of the last `plot`.
    """

    figure_: "Figure"

    @abstractmethod
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw into the given axes, or into those of a new figure."""

    def save(self, path: str | Path, **kwargs: Any) -> Path:
        """Write the picture to a file; draw it with the defaults if `plot` was not called.

        Equal pictures give equal bytes.

        Parameters
        ----------
        path : str or Path
            A file that ends in ``.png``, ``.svg`` or ``.pdf``.
        **kwargs
            Passed to `matplotlib.figure.Figure.savefig`, such as ``dpi``.

        Returns
        -------
        Path

        Raises
        ------
        InvalidParameterError
            If the file has another ending.
        """
        path = as_path(path)
        kind = path.suffix.removeprefix(".").lower()
        if kind not in FORMATS:
            endings = ", ".join(f".{name}" for name in FORMATS)
            raise InvalidParameterError(f"save: path={str(path)!r} is not allowed (a file that ends in {endings})")
        if not hasattr(self, "figure_"):
            self.plot()
        return write_atomic(path, render(self.figure_, kind, type(self).__name__, **kwargs))

    def _open(self, ax: Any, needed: int) -> list["Axes"]:
        """Set `figure_` and return the given axes, flat; without any, an empty list and a new figure."""
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure

        if ax is None:
            self.figure_ = Figure()
            return []
        given = np.asarray(ax, dtype=object).ravel().tolist()
        axes = [one for one in dict.fromkeys(given) if isinstance(one, Axes)]
        if not len(given) == len(axes) == needed:
            wanted = "one Axes" if needed == 1 else f"{needed} different Axes, one per panel"
            kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in given))
            raise InvalidParameterError(f"plot: ax must be {wanted}, or None, not {len(given)} ({kinds or 'empty'})")
        figure = axes[0].get_figure(root=True)
        assert figure is not None
        self.figure_ = figure
        return axes

    def _open_grid(self, ax: Any, n_rows: int, n_columns: int, **layout: Any) -> Any:
        """Set `figure_` and return an array of the given axes or, without any, of new panels of this layout."""
        check_panels(n_rows * n_columns)
        given = self._open(ax, n_rows * n_columns)
        if given:
            return np.array(given, dtype=object).reshape(n_rows, n_columns)
        return make_panels(self.figure_, n_rows, n_columns, **layout)
