"""What displays of a summary ask of its frames: columns, one row a layer and site, and which site to draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from initsk.utils._validation import check_parameters, each_of, one_of, refuse

# What `site` of a plot may be; a layer without an activation function has one site, "output", drawn for each.
SITES = ("activation", "pre_activation")
BOTH = ("both", *SITES)
BINS = ("layer", "site", "left", "right", "count")
KEY = ("layer", "site")


def checked(owner: str, frames: Mapping[str, tuple[Any, Sequence[str], Sequence[str]]]) -> list[pd.DataFrame]:
    """Return the frames with layers and sites as text, or refuse all that is wrong in one message.

    Parameters
    ----------
    owner : str
        Whose frames these are.
    frames : mapping of str to (frame, columns, key)
        Under the name that messages use: a frame, the columns that it needs, and those that
        tell its rows apart (none for bins).

    Raises
    ------
    InvalidParameterError
        If any is no DataFrame, has no rows, lacks columns, or has two rows of one key.
    """
    problems = [problem for name, given in frames.items() if (problem := _problem(name, *given))]
    refuse(owner, problems)
    return [
        frame.assign(layer=frame["layer"].astype(str), site=frame["site"].astype(str)) for frame, *_ in frames.values()
    ]


def _problem(name: str, frame: Any, columns: Sequence[str], key: Sequence[str]) -> str | None:
    if not isinstance(frame, pd.DataFrame):
        return f"{name} is not a DataFrame but {type(frame).__name__}"
    missing = [column for column in columns if column not in frame]
    if missing:
        return f"{name} lacks {', '.join(missing)}"
    if frame.empty:
        return f"{name} has no rows"
    twice = frame.duplicated(list(key)) if key else pd.Series(dtype=bool)
    if twice.any():
        first = frame.loc[twice, list(key)].to_dict("records")[0]
        return f"{name} has several rows of " + ", ".join(f"{column} {value!r}" for column, value in first.items())
    return None


def chosen(
    frame: pd.DataFrame, site: str, layers: Sequence[str] | None = None, sites: Sequence[str] = SITES
) -> pd.DataFrame:
    """Return the rows at a site (of layers with one site only: at that one; "both": all), of the given layers.

    Raises
    ------
    InvalidParameterError
        If a parameter of the plot is not allowed, or nothing is left to draw.
    """
    known = list(frame["layer"].unique())
    wanted = known if layers is None else layers
    allowed = {"site": one_of("site", sites), "layers": each_of("layer", known)}
    check_parameters("plot", {"site": site, "layers": wanted}, allowed)
    rows = frame[frame["layer"].isin(wanted)]
    at = rows if site == "both" else rows[rows["site"].isin((site, "output"))]
    if at.empty:
        refuse("plot", [f"site={site!r} is not allowed (these layers have {', '.join(rows['site'].unique())} only)"])
    return at
