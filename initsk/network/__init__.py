"""Reading of any torch module: parameters, layers, activation functions, inputs, state and propagation of signals."""

from initsk.network._activations import ACTIVATION_TYPES, ACTIVATIONS, ActivationOption, make_activation
from initsk.network._architecture import add_architecture
from initsk.network._axes import SAMPLE, axes_of, size_along
from initsk.network._baselines import known_baseline
from initsk.network._batches import (
    Batch,
    BatchConverter,
    PaddingMask,
    as_batch,
    heads_of_targets,
    integers_to_cast,
    is_mask,
    iterate_batches,
    several_targets,
    take_targets,
)
from initsk.network._calls import describe_arrays, errors_name_layer, run_module
from initsk.network._contents import save_contents
from initsk.network._copies import copy_of_module
from initsk.network._criteria import Criteria, Criterion, check_criterion, get_criterion, loss_function
from initsk.network._described import describe_model, is_fitted, name_of_loss
from initsk.network._examples import declared
from initsk.network._follower import ForwardFollower, Step
from initsk.network._generators import (
    generator_state,
    generators_of,
    generators_restored,
    preserve_generators,
    set_generator_state,
)
from initsk.network._hints import describe_kind, with_next_step
from initsk.network._inputs import (
    IntegerCasts,
    arguments_of,
    arrays_in,
    count_samples,
    first_batch,
    has_targets,
    is_integer,
    is_sparse,
    is_stream,
    map_arrays,
    pairs,
    take_rows,
    targets_in,
    to_array,
)
from initsk.network._layer_rules import register_layer
from initsk.network._layer_types import AFFINE, BATCH_NORM_LAYERS, BATCH_OR_INSTANCE_NORM_LAYERS, untrained_norms
from initsk.network._layouts import dense, why_not_writable
from initsk.network._lazy import infer_shapes, lazy_parameters, structure_restored_on_failure
from initsk.network._mean_loss import checked_loss, mean_loss
from initsk.network._meta import MadeTensors, meta_tensors
from initsk.network._mlp import MLP, NORMALIZATIONS, layer_sizes
from initsk.network._model import Model, borrowed, get_model, has_network, initialized, innermost, is_unbuilt
from initsk.network._nets import check_class_scores, has_own_loss
from initsk.network._network import Layer, Network
from initsk.network._network_graph import NetworkGraph
from initsk.network._operations import CompletedFunction, Operation, ParameterUse, Source, tensors_in
from initsk.network._optimizers import OPTIMIZERS, check_optimizer, get_optimizer
from initsk.network._originals import written_by
from initsk.network._outputs import (
    IGNORED_TARGET,
    NO_GRADIENT,
    LossWithInputs,
    heads_of,
    loss_of,
    own_loss,
    scores_in_loss,
    scores_of,
)
from initsk.network._parameters import PlannedParameter, plan_parameters
from initsk.network._propagation import Propagation
from initsk.network._random_layers import Distribution, Sums, argument_of, current_values, sums_of
from initsk.network._read import PassReading, read, read_pass
from initsk.network._sharded import local_values
from initsk.network._signal_step import pair_of
from initsk.network._spec import FAN_MODES, FRAMEWORK_LAYOUTS, Branch, ParameterSpec
from initsk.network._state import (
    any_module_has_hooks,
    any_optimizer_has_hooks,
    has_hooks,
    may_have_gradient_hooks,
    preserve_state,
    preserve_training,
    set_tensor,
    set_training,
)
from initsk.network._targets import OF_CLASSES, OF_NUMBERS, comparable_target, takes_classes
from initsk.network._views import shares_memory
from initsk.network._weight_hooks import compute_hooked, hooked_tensors
from initsk.network._wide_network import PredictedValues, WideNetwork
from initsk.network._wrappers import (
    clean_names,
    named_parameters,
    refuse_quantized,
    run_as_written,
    unwrap,
    without_wrappers,
)

__all__ = [
    "ACTIVATIONS",
    "ACTIVATION_TYPES",
    "AFFINE",
    "BATCH_NORM_LAYERS",
    "BATCH_OR_INSTANCE_NORM_LAYERS",
    "FAN_MODES",
    "FRAMEWORK_LAYOUTS",
    "IGNORED_TARGET",
    "MLP",
    "NORMALIZATIONS",
    "NO_GRADIENT",
    "OF_CLASSES",
    "OF_NUMBERS",
    "OPTIMIZERS",
    "SAMPLE",
    "ActivationOption",
    "Batch",
    "BatchConverter",
    "Branch",
    "CompletedFunction",
    "Criteria",
    "Criterion",
    "Distribution",
    "ForwardFollower",
    "IntegerCasts",
    "Layer",
    "LossWithInputs",
    "MadeTensors",
    "Model",
    "Network",
    "NetworkGraph",
    "Operation",
    "PaddingMask",
    "ParameterSpec",
    "ParameterUse",
    "PassReading",
    "PlannedParameter",
    "PredictedValues",
    "Propagation",
    "Source",
    "Step",
    "Sums",
    "WideNetwork",
    "add_architecture",
    "any_module_has_hooks",
    "any_optimizer_has_hooks",
    "argument_of",
    "arguments_of",
    "arrays_in",
    "as_batch",
    "axes_of",
    "borrowed",
    "check_class_scores",
    "check_criterion",
    "check_optimizer",
    "checked_loss",
    "clean_names",
    "comparable_target",
    "compute_hooked",
    "copy_of_module",
    "count_samples",
    "current_values",
    "declared",
    "dense",
    "describe_arrays",
    "describe_kind",
    "describe_model",
    "errors_name_layer",
    "first_batch",
    "generator_state",
    "generators_of",
    "generators_restored",
    "get_criterion",
    "get_model",
    "get_optimizer",
    "has_hooks",
    "has_network",
    "has_own_loss",
    "has_targets",
    "heads_of",
    "heads_of_targets",
    "hooked_tensors",
    "infer_shapes",
    "initialized",
    "innermost",
    "integers_to_cast",
    "is_fitted",
    "is_integer",
    "is_mask",
    "is_sparse",
    "is_stream",
    "is_unbuilt",
    "iterate_batches",
    "known_baseline",
    "layer_sizes",
    "lazy_parameters",
    "local_values",
    "loss_function",
    "loss_of",
    "make_activation",
    "map_arrays",
    "may_have_gradient_hooks",
    "mean_loss",
    "meta_tensors",
    "name_of_loss",
    "named_parameters",
    "own_loss",
    "pair_of",
    "pairs",
    "plan_parameters",
    "preserve_generators",
    "preserve_state",
    "preserve_training",
    "read",
    "read_pass",
    "refuse_quantized",
    "register_layer",
    "run_as_written",
    "run_module",
    "save_contents",
    "scores_in_loss",
    "scores_of",
    "set_generator_state",
    "set_tensor",
    "set_training",
    "several_targets",
    "shares_memory",
    "size_along",
    "structure_restored_on_failure",
    "sums_of",
    "take_rows",
    "take_targets",
    "takes_classes",
    "targets_in",
    "tensors_in",
    "to_array",
    "untrained_norms",
    "unwrap",
    "why_not_writable",
    "with_next_step",
    "without_wrappers",
    "written_by",
]  # fmt: skip
