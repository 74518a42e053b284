"""Room for a title over all panels, which a user writes after the figure was drawn."""

from typing import TYPE_CHECKING, Any

from matplotlib.layout_engine import LayoutEngine

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Inches between the title and the panels.
_GAP = 0.06


class TitleRoom(LayoutEngine):
    """Let panels end below a title of the figure; without such a title, nothing changes.

    The margins of a figure of the display's own size are fixed: they have no room for `Figure.suptitle`.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def execute(self, fig: "Figure") -> None:
        """Lower the top of the grid of panels by as much as their titles reach into that of the figure."""
        titles = [text for text in fig.texts if text.get_text() and text.get_text() == fig.get_suptitle()]
        places = {ax: place for ax in fig.axes if (place := ax.get_subplotspec()) is not None}
        boxes = [box for ax in places if (box := ax.get_tightbbox()) is not None]
        if not titles or not boxes:
            return
        over = max(box.y1 for box in boxes) - titles[0].get_window_extent().y0 + _GAP * fig.dpi
        if over <= 0:
            return
        grids: set[Any] = {place.get_topmost_subplotspec().get_gridspec() for place in places.values()}
        for grid in grids:
            grid.top = grid.get_subplot_params(fig).top - over / fig.bbox.height
        for ax, place in places.items():
            ax.set_subplotspec(place)
