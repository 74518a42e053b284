"""What an inspection found, as frames."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import pandas as pd

from initsk.exceptions import InvalidParameterError
from initsk.inspection._findings import find_in_layers, findings_frame
from initsk.inspection._frames import COLUMNS, OF, Bins, check_of, histograms_frame, parameters_frame, statistics_frame
from initsk.inspection._thresholds import MIN_SAMPLES, layer_thresholds
from initsk.inspection.capture._recorder import Key, Record
from initsk.inspection.statistics._gradients import WeightRecord
from initsk.inspection.statistics._layer import LayerStatistics
from initsk.utils.results import Reported
from initsk.utils.validation import check_parameters, real


class ActivationSummary(Reported):
    """Statistics of a network's layers; made by `inspect_activations`.

    Two summaries of the same network, of two parts of the data, are added with ``+``.

    Parameters
    ----------
    records : dict of (layer, position) to Record
        In the order of the forward pass.
    activated : set of str
        Layers that an activation function follows.
    parameters : DataFrame, optional
        What `parameters` returns.
    weights : dict of (layer, position) to WeightRecord, optional
        Of every parameter, where they were asked for.
    """

    def __init__(
        self,
        records: dict[Key, Record],
        activated: set[str],
        parameters: pd.DataFrame | None = None,
        weights: dict[Key, WeightRecord] | None = None,
    ) -> None:
        self.records = records
        self.activated = activated
        self.weights = {} if weights is None else weights
        self._parameters = parameters

    def __repr__(self) -> str:
        return f"ActivationSummary({len(self.layers)} layers; see to_frame(), histograms() and findings())"

    def __add__(self, other: "ActivationSummary") -> "ActivationSummary":
        if self.records.keys() != other.records.keys():
            raise InvalidParameterError("summaries of different layers cannot be added")
        records = {key: record + other.records[key] for key, record in self.records.items()}
        return ActivationSummary(records, self.activated | other.activated, weights=self.weights)

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order of the forward pass."""
        return list(dict.fromkeys(layer for layer, _ in self.records))

    def to_frame(self, of: str = "activations") -> pd.DataFrame:
        """Return a row per layer and position.

        Parameters
        ----------
        of : {"activations", "gradients", "weights"}, default="activations"
            Of the values themselves; of the gradients of each sample's loss with respect to them (empty
            unless the summary was made with ``gradients=True``); or of the parameters (with ``weights=True``), whose
            column ``parameter``, the parameter's name in its layer, stands in place of ``position``.

        Returns
        -------
        DataFrame
            Strings: ``layer``; ``position``, which is "pre_activation" and "activation" where an activation function
            follows the layer, otherwise "output"; ``module``, what produced the values, with the number of the
            call (``relu:1``); ``function``, the activation function's class or name.
            Integers (int64): ``units``; ``count`` of finite values; ``nonfinite`` count of NaN and infinities.
            Numbers (float64, NaN where there are none): ``mean``, ``std`` (population), ``rms``, ``min``, ``max``,
            ``skewness``, ``kurtosis`` (a normal's is 0); quantiles ``q01`` to ``q99``, each less than
            ``quantile_error`` from the true one; ``zero_fraction`` of values; ``dead_fraction`` of units, zero for
            every sample; ``saturated_fraction`` of values that have gone 95 % of the way from f(0) to a
            bound of the activation function f, NaN where it has none; ``copied_fraction`` of units that equal
            another unit for every sample, dead ones included; ``effective_rank`` (Roy and Vetterli 2007) and
            ``participation_ratio`` of the covariance between units, at most the number of units, NaN beyond 2048
            units; ``mean_cosine`` between the activations of two samples.
        """
        check_of("to_frame", of)
        return self._frames[of].copy()

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        return {of: statistics_frame(self.rows(of), of) for of in OF}

    def rows(self, of: str) -> list[tuple[Any, ...]]:
        """Return the rows of `to_frame` as tuples, for who keeps many of them."""
        rows = []
        for layer, position, record, statistics in self._statistics(of):
            row = statistics.to_row()
            if row["count"] + row["nonfinite"]:
                row |= {"layer": layer, "position": position, "module": record.module, "function": record.function}
                rows.append(tuple(row[name] for name in COLUMNS))
        return rows

    def bins(self, of: str) -> list[Bins]:
        """Return the histograms."""
        found = []
        for layer, position, _, statistics in self._statistics(of):
            edges, counts = (statistics.fixed or statistics.histogram).bins()
            found.append(Bins(layer, position, edges, counts))
        return found

    def _statistics(self, of: str) -> Iterator[tuple[str, str, Record | WeightRecord, LayerStatistics]]:
        if of == "weights":
            yield from ((layer, position, record, record.values) for (layer, position), record in self.weights.items())
        else:
            for (layer, position), record in self.records.items():
                yield layer, self.position(layer, position), record, record.of(of)

    def position(self, layer: str, position: str) -> str:
        """Return the name of a position: the output of a layer with an activation function is its pre-activation."""
        return "pre_activation" if position == "output" and layer in self.activated else position

    def histograms(self, of: str = "activations") -> pd.DataFrame:
        """Return a row per layer, position and bin.

        Parameters
        ----------
        of : {"activations", "gradients", "weights"}, default="activations"
            As in `to_frame`.

        Returns
        -------
        DataFrame
            ``layer``, ``position`` (strings), ``left``, ``right`` (float64), ``count`` (int64), ``density`` (float64:
            per unit of the values, integrating to 1). With fixed edges, the first and last bin of each layer are
            what lies below and above, from ``-inf`` and to ``inf``, of density 0.
        """
        check_of("histograms", of)
        return histograms_frame(self.bins(of), of)

    def parameters(self) -> pd.DataFrame:
        """Return a row per trained parameter, where gradients were asked for; otherwise none.

        Returns
        -------
        DataFrame
            ``name``; ``size`` (int64); norms (float64): ``weight_norm``, ``gradient_norm`` of the mean loss over all
            samples, ``update_norm`` of one step of the optimizer with that gradient; and
            ``gradient_to_weight``, ``update_to_weight``, their ratios to the weight's norm, NaN for weights of zero.
        """
        return parameters_frame([]) if self._parameters is None else self._parameters.copy()

    def findings(self, *, min_samples: float = MIN_SAMPLES, **thresholds: float) -> pd.DataFrame:
        """Return a row for everything that is wrong with a layer; none for a healthy network.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Parameters
        ----------
        min_samples : float, default=30
            Samples from which on dead units are counted: in few samples many units are zero by chance.
        **thresholds : float
            Thresholds that replace the defaults (in parentheses): ``symmetric`` (0.5), ``dead`` (0.5), ``saturated``
            (0.5), ``collapsed`` (0.0025), ``vanishing`` (0.01), ``exploding`` (100.0), ``shifted_mean`` (2.0). See
            `initsk.inspection.THRESHOLDS` for their meaning and sources.

        Returns
        -------
        DataFrame
            The gravest kind first: ``layer``; ``kind`` ("non-finite", "symmetric", "dead", "saturated", "collapsed",
            "vanishing", "exploding" or "shifted mean"); ``value`` and ``threshold`` (float64); ``decides``, whether
            such a network does not train; ``of``, whether the value is one of the "activations" or the "gradients";
            ``relative_to``, the layer that it is relative to, or "".

        Raises
        ------
        InvalidParameterError
            If a threshold is unknown or not a number >= 0.

        Examples
        --------
        >>> import torch
        >>> from initsk import initialize, inspect_activations
        >>> from initsk.network import MLP
        >>> net = MLP(8, 2, (16, 16))
        >>> _ = initialize(net, "zeros")
        >>> inspect_activations(net, torch.eye(8).repeat(5, 1)).findings()["kind"].unique().tolist()
        ['symmetric', 'dead']
        """
        check_parameters("findings", {"min_samples": min_samples}, {"min_samples": real(minimum=0)})
        limits = layer_thresholds(thresholds)
        return findings_frame(
            find_in_layers(self._frames["activations"], self._frames["gradients"], limits, min_samples)
        )
