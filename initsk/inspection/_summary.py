"""The result of an inspection, as data frames."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from initsk.exceptions import InvalidParameterError
from initsk.inspection import _frames as frames
from initsk.inspection._findings import find_in_layers, findings_frame
from initsk.inspection._thresholds import MIN_SAMPLES, layer_thresholds
from initsk.inspection.capture._layer_choice import Key
from initsk.inspection.statistics._layer import LayerRecord
from initsk.utils.cached import cached_property
from initsk.utils.results import Reported
from initsk.utils.torch_settings import outside_of_contexts
from initsk.utils.validation import check_parameters, real
from initsk.utils.words import counted


class ActivationSummary(Reported):
    """Statistics of a network's layers; the result of `inspect_activations`.

    The sum (``+``) of two summaries of a network, for two parts of the data, is the summary for all the data.

    Parameters
    ----------
    records : dict of (layer, position) to LayerRecord
        Statistics of activations and gradients, in the order of the forward pass.
    parameters : DataFrame, optional
        The frame that `parameters` returns.
    weight_records : dict of (layer, parameter) to LayerRecord, optional
        Statistics of the parameters, if they were measured.
    settings : mapping, optional
        Of the model and the samples, for the report; see `initsk.network.describe_model`.
    """

    def __init__(
        self,
        records: dict[Key, LayerRecord],
        parameters: pd.DataFrame | None = None,
        weight_records: dict[Key, LayerRecord] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.records = records
        self.settings = dict(settings or {})
        self.weight_records = {} if weight_records is None else weight_records
        self._parameters = parameters

    def __repr__(self) -> str:
        return f"ActivationSummary({counted(len(self.layers), 'layer')}; see to_frame(), histograms() and findings())"

    def __add__(self, other: "ActivationSummary") -> "ActivationSummary":
        if self.records.keys() != other.records.keys():
            only = "; ".join(filter(None, (_only(self, other, "first"), _only(other, self, "second"))))
            raise InvalidParameterError(
                f"summaries of different layers cannot be added: {only} (allowed: those of a network whose layers stay"
                " the same)"
            )
        records = {key: record + other.records[key] for key, record in self.records.items()}
        same = {name: value for name, value in self.settings.items() if other.settings.get(name) == value}
        # Of two parts, neither shape is that of the whole.
        same.pop("data_shape", None)
        return ActivationSummary(records, weight_records=self.weight_records, settings=same)

    @property
    def layers(self) -> list[str]:
        """Names of the layers, in the order of the forward pass."""
        return list(dict.fromkeys(layer for layer, _ in self.records))

    def to_frame(self, of: str = "activations") -> pd.DataFrame:
        """Return a row per layer and position.

        Parameters
        ----------
        of : {"activations", "gradients", "weights"}, default="activations"
            "activations" for the values themselves; "gradients" for the gradients of each sample's loss with respect
            to them (empty unless ``gradients=True`` was given to the inspection); "weights" for the parameters (empty
            unless ``weights=True``). The frame of the parameters has a column ``parameter``, the parameter's name in
            its layer, instead of ``position``.

        Returns
        -------
        DataFrame
            Strings: ``layer``; ``position``, which is "pre_activation" and "activation" if an activation function
            follows the layer, otherwise "output"; ``module``, the module or function that computed the values, with
            the number of the call (``relu:1``); ``function``, the activation function's class or name.
            Integers (int64): ``units``; ``count`` of finite values; ``nonfinite`` count of NaN and infinities.
            Numbers (float64, NaN if not measured): ``mean``, ``std`` (population), ``rms``, ``min``, ``max``,
            ``skewness``, ``kurtosis`` (0 for a normal distribution); quantiles ``q01`` to ``q99``, with errors below
            ``quantile_error``; ``zero_fraction`` of values; ``dead_fraction``, the share of units that are zero for
            every sample; ``saturated_fraction``, the share of values beyond 95 % of the distance from f(0) to a bound
            of the activation function f, NaN if f has no bound; ``copied_fraction``, the share of units that equal
            another unit for every sample, including dead units; ``effective_rank`` (Roy and Vetterli 2007) and
            ``participation_ratio`` of the covariance between units, at most the number of units, NaN beyond 2048
            units; ``mean_cosine`` between the activations of two samples.
        """
        frames.check_value_kind("to_frame", of)
        return self._frames[of].copy()

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        return {of: frames.statistics_frame(self.rows(of), of) for of in frames.VALUE_KINDS}

    def rows(self, of: str) -> list[tuple[Any, ...]]:
        """Return the rows of `to_frame` as tuples, which need less memory than frames."""
        rows = []
        for (layer, position), record in self._records_of(of).items():
            with outside_of_contexts():
                row = record.of(of).to_row()
            if row["count"] + row["nonfinite"]:
                row |= {"layer": layer, "position": position, "module": record.module, "function": record.function}
                rows.append(tuple(row[name] for name in frames.STATISTICS_COLUMNS))
        return rows

    def bins(self, of: str) -> list[frames.PackedBins]:
        """Return the data of `histograms` as bytes; empty histograms are left out."""
        found = []
        for (layer, position), record in self._records_of(of).items():
            edges, counts = record.of(of).bins()
            if len(counts):
                found.append(frames.PackedBins(layer, position, edges.tobytes(), counts.tobytes()))
        return found

    def _records_of(self, of: str) -> dict[Key, LayerRecord]:
        return self.weight_records if of == "weights" else self.records

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
            per unit of the values, integrating to 1). With fixed edges, the first and last bin of each layer count the
            values below and above the edges; they reach to ``-inf`` and ``inf`` and have density 0.
        """
        frames.check_value_kind("histograms", of)
        return frames.histograms_frame(self.bins(of), of)

    def parameters(self) -> pd.DataFrame:
        """Return a row per trained parameter if gradients were measured; otherwise an empty frame.

        Returns
        -------
        DataFrame
            ``name``; ``size`` (int64); norms (float64): ``weight_norm``, ``gradient_norm`` of the mean loss over all
            samples, ``update_norm`` of one step of the optimizer with that gradient; and
            ``gradient_to_weight``, ``update_to_weight``, their ratios to the weight's norm, NaN if the norm is zero.
        """
        return frames.parameters_frame([]) if self._parameters is None else self._parameters.copy()

    def findings(self, *, min_samples: float = MIN_SAMPLES, **thresholds: float) -> pd.DataFrame:
        """Return a row for each finding in a layer; the frame of a healthy network is empty.

        `initsk.report.describe_findings` puts the findings into sentences and gives advice.

        Parameters
        ----------
        min_samples : float, default=30
            Smallest number of samples for which dead units are counted; in fewer samples, many units are zero by
            chance.
        **thresholds : float
            Thresholds that replace the defaults (in parentheses): ``symmetric`` (0.5), ``dead`` (0.5), ``saturated``
            (0.5), ``collapsed`` (0.0025), ``vanishing`` (0.01), ``exploding`` (100.0), ``shifted_mean`` (2.0). See
            `initsk.inspection.THRESHOLDS` for their meaning and sources.

        Returns
        -------
        DataFrame
            The most serious kind first: ``layer``; ``kind`` ("non-finite", "symmetric", "dead", "saturated",
            "collapsed", "vanishing", "exploding" or "shifted mean"); ``value`` and ``threshold`` (float64);
            ``decides``, whether findings of this kind keep a network from training; ``of``, whether the value is one of
            the "activations" or the "gradients"; ``relative_to``, the layer that it is relative to, or ""; ``what``,
            which is empty here (see `Finding`).

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
        found = find_in_layers(self._frames["activations"], self._frames["gradients"], limits, min_samples)
        return findings_frame(found)


def _only(summary: ActivationSummary, other: ActivationSummary, which: str) -> str:
    """Return which layers a summary has and another one has not, in words; "" without any."""
    names = [f"{layer!r} ({position})" for layer, position in summary.records.keys() - other.records.keys()]
    return f"only the {which} has {', '.join(sorted(names))}" if names else ""
