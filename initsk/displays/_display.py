"""The base of all displays: the axes that they draw into, and saving."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

import numpy as np

from initsk.displays._fit import fit_texts
from initsk.displays._render import FORMATS, render
from initsk.displays._settings import (
    apart_from_pyplot,
    forget_inline,
    has_own_size,
    new_figure,
    own_scale,
    restored_after_error,
    set_scale,
    without_tex,
)
from initsk.displays._style import height_of, make_panels, width_of
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
    """Let `translate` use the argument ``language`` of `plot` while it draws, and numpy be quiet about overflows.

    Then texts are fitted into the panels, unless the figure is as large as the display needs. After an error, the
    display is as it was, and pyplot has no figure of it.
    """

    @wraps(plot)
    def plot_in_language(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        language: Any = kwargs.get("language", "en")
        quiet = np.errstate(all="ignore")
        with use_language(language), quiet, own_scale(), without_tex(), restored_after_error(args[0]):
            display: Any = plot(*args, **kwargs)
            if display._has_own_size:
                from initsk.displays._title_room import TitleRoom

                display.figure_.set_layout_engine(TitleRoom())
            else:
                fit_texts(display._axes())
            return display

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
    ax_: "Axes"
    axes_: Any
    _has_own_size: bool

    @abstractmethod
    def plot(self, ax: Any = None, *, language: str = "en", **kwargs: Any) -> Self:
        """Draw into the given axes, or into those of a new figure."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._contents())})"

    def _contents(self) -> list[str]:
        """Return what the picture shows, such as "3 layers"."""
        return []

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
            with apart_from_pyplot():
                self.plot()
        return write_atomic(path, render(self.figure_, kind, type(self).__name__, **kwargs))

    def _repr_png_(self) -> bytes:
        """Return the picture for a notebook; draw it with the defaults if `plot` was not called."""
        if not hasattr(self, "figure_"):
            with apart_from_pyplot():
                self.plot()
        forget_inline(self.figure_)
        return render(self.figure_, "png", type(self).__name__)

    def _axes(self) -> list["Axes"]:
        """Return the axes of the last plot, in their order."""
        found: Any = self.ax_ if hasattr(self, "ax_") else self.axes_
        return list(found.values()) if isinstance(found, dict) else list(np.asarray(found, dtype=object).flat)

    def _open(self, ax: Any, needed: int, width: float, height: float) -> list["Axes"]:
        """Set `figure_` and return the given axes, flat; without any, an empty list and a new figure.

        The display's own panels have this width and height in inches.
        """
        from matplotlib.axes import Axes

        if ax is None:
            self.figure_ = new_figure()
            self._has_own_size = has_own_size()
            return []
        self._has_own_size = False
        given = np.asarray(ax, dtype=object).ravel().tolist()
        axes = [one for one in dict.fromkeys(given) if isinstance(one, Axes)]
        if not len(given) == len(axes) == needed:
            wanted = "one Axes" if needed == 1 else f"{needed} different Axes, one per panel"
            kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in given))
            raise InvalidParameterError(f"plot: ax must be {wanted}, or None, not {len(given)} ({kinds or 'empty'})")
        figure = axes[0].get_figure(root=True)
        assert figure is not None
        self.figure_ = figure
        set_scale(min(width_of(axes[0]) / width, height_of(axes[0]) / height))
        return axes

    def _open_grid(self, ax: Any, n_rows: int, n_columns: int, **layout: Any) -> Any:
        """Set `figure_` and return an array of the given axes or, without any, of new panels of this layout."""
        check_panels(n_rows * n_columns)
        given = self._open(ax, n_rows * n_columns, layout["width"], layout["height"])
        if given:
            return np.array(given, dtype=object).reshape(n_rows, n_columns)
        return make_panels(self.figure_, n_rows, n_columns, **layout)
