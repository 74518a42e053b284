"""Which rows of a frame carry the signal from layer to layer."""

import pandas as pd


def signal_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows after activation functions; of a network without any, those of all layers but the last.

    Parameters
    ----------
    frame : DataFrame
        Columns layer and site, layers in the order of the forward pass.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> signal_rows(pd.DataFrame({"layer": ["a", "a", "b"], "site": ["pre_activation", "activation", "output"]}))
      layer        site
    1     a  activation
    """
    after = frame[frame["site"] == "activation"]
    return after if len(after) or frame.empty else frame[frame["layer"] != frame["layer"].iloc[-1]]
