"""Whether a network will train, before it is trained."""

from typing import Any

from initsk.diagnosis._diagnosis import Diagnosis
from initsk.diagnosis._objective import OutputPicker
from initsk.diagnosis._optimizers import OptimizerChoice
from initsk.diagnosis._options import MAX_SAMPLES, TARGET, TRIAL_STEPS, check_options
from initsk.diagnosis._setup import set_up
from initsk.network import Criteria, borrowed, describe_model
from initsk.utils.global_state import one_at_a_time
from initsk.utils.random import RandomState, resolve_seed


@one_at_a_time
def diagnose(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    optimizer: OptimizerChoice | None = None,
    lr: float | None = None,
    criterion: Criteria | None = None,
    output: OutputPicker = None,
    budget: int | None = None,
    target: float = TARGET,
    trial_steps: int = TRIAL_STEPS,
    batch_size: int | None = None,
    max_samples: int = MAX_SAMPLES,
    time_limit: float | None = None,
    random_state: RandomState = 0,
) -> Diagnosis:
    """Estimate whether a network will train, from a trial of a few steps on a copy.

    The model does not change: neither its parameters, buffers and modes, nor the optimizer, nor any random state.

    The result's `score` is the estimated probability, from 0 to 1, that training succeeds: that the loss on the
    training data falls below `target` times the baseline loss within `budget` steps. It is no accuracy, and does not
    tell how well the network will do on new samples. `will_train` is True if the score is at least 0.5.

    The score is a logistic model of what the trial measures, such as its losses, the gradients and the sizes of the
    updates (`Diagnosis.contributions` has the parts). It was fitted by ``benchmarks/trainability`` to networks of six
    families with random hyperparameters, trained for up to 512 steps. On 330 networks of three families that were
    held out, at the threshold 0.5, 13 % of those that train are called ill, and 7 % of those that fail are called
    healthy. ``docs/guide/diagnosis.md`` lists the cases in which the score is wrong more often.

    Findings of these kinds decide if the score is below 0.5:

    - *non-finite*: values of X or y, of layers, of gradients or of the loss are NaN or infinite; if X or y has such
      values, the finding names them, and there are no other findings;
    - *dead*: all units of a layer are zero for every sample, and no path carries a gradient around the layer;
    - *cut off*: a layer gets no gradient, although the loss depends on it;
    - *broadcast loss*: the loss compares every output with every target, as a difference of the shapes (n, 1) and (n,)
      does;
    - *symmetric*: units of a layer are copies of one another, and so are their gradients;
    - *large weights*: the weights of a layer are more than five times as large as recommended;
    - *small gradient*, *large gradient*: the gradient that distinguishes samples, `GradientCoherence.size`, is too
      small or too large;
    - *incoherent*: the gradients of two halves of the samples do not agree, `GradientCoherence.agreement`;
    - *disproportionate*: the gradients of a layer are far smaller than those of the last hidden layer;
    - *overconfident*: the loss at the start is far above the baseline loss;
    - *diverging*, *not learning*: after the trial, the loss is above that of the start, or not below the baseline loss;
    - *small steps*, *large steps*: an update is very small or very large, relative to the weight;
    - *unscaled input*, *unscaled targets*: inputs that a layer multiplies as they are, as in `audit`, or numbers to
      predict are far from standardized;
    - *probabilities as logits*: the outputs are probabilities, and the loss applies a softmax or a sigmoid itself;
    - *one-sided logits*: after an activation function no output is negative, and the loss takes logits;
    - *unlikely*: the score is low, and no other value explains it.

    The other kinds only inform: other findings in single layers, as in `ActivationSummary.findings`; *died*, units that
    the trial has killed; *unused*, layers that the loss does not depend on; *left out*, layers that the optimizer does
    not have; and *too deep*, more layers than six depth scales of `initsk.theory.MeanField`.

    A network whose loss is below the target before the first step is already trained, or, in an
    autoencoder or a denoiser, it may pass on inputs that are close to the targets. The answer says so, and the report
    has no learning rates.

    Parameters
    ----------
    model : torch.nn.Module or estimator
        As in `inspect_activations`; an unfitted estimator is diagnosed at its initial weights.
    X, y : array-like
        Samples and targets, at least 20, in any form that `inspect_activations` takes. Of a stream, its first batches
        are taken. Data without rows, such as a graph, are the batch of every step.
    optimizer : str, torch optimizer, its class, callable or None, default=None
        Optimizer of the training: the name of one of torch's in any case, such as "adam", "AdamW" or "sgd"; a class; a
        function of a list of parameters, such as ``partial(torch.optim.SGD, lr=0.1, momentum=0.9)``; or an optimizer of
        the model, whose settings and state are copied. None takes that of the estimator, and Adam for a plain module.
    lr : float, optional
        Learning rate; None takes that of the optimizer. If its groups of parameters have different rates, `lr` is that
        of the first group whose rate is above 0, and the rates of the others are multiplied by the same factor.
    criterion : str, callable, or dict of these by name of the head, optional
        Name of one of torch's losses in any case, such as "CrossEntropyLoss"; or a function of ``(output, y)`` that
        returns the mean loss; or one for each named head of the output, whose sum is the loss. By default the output's
        own ``loss``, the estimator's criterion, or the one that suits the targets; see `initsk.network.loss_of`. A
        skorch net has the loss of its ``get_loss``.
    output : str, int or callable, optional
        The part of the module's output that counts: a name, an index, or a function of the output.
    budget : int, optional
        Number of steps that the training may take; None takes those of the estimator's fit, without the samples that
        a skorch net holds out, and 500 for a plain module.
    target : float, default=0.8
        Loss in evaluation, relative to the baseline loss, below which training has succeeded.
    trial_steps : int, default=32
        Steps of the trial. If the score is uncertain after them (between 0.05 and 0.95), the trial goes on to four
        times as many steps, but at most to half of the budget. With fewer than 8, the answer says that the
        score says little: it was fitted to trials of at least 8 steps. With 0 the score comes from the gradients at the
        start alone, and is less certain.
    batch_size : int, optional
        Samples in a batch; None takes that of the estimator, and 64 for a plain module. A stream has its own.
    max_samples : int, default=512
        Largest number of samples for the values at the start, in whole batches: the memory is that
        of a training step.
    time_limit : float, optional
        Seconds for the whole diagnosis: values at the start, trial, and what is measured on first use
        (`learning_rates`, `recommended_score`, values after the trial); time between calls does not count. When it is
        up, no further pass begins, learning rates that were not tried have no row, and values that were not
        measured are missing. The limit is exceeded by at most what has begun: a step, the gradients of the measured
        samples, or a copy with other initializers. The smallest diagnosis, two batches measured before and after one
        step, is made at any rate.
    random_state : int, RandomState, Generator or None, default=0
        Seed of the choice of samples, of what the module draws, and of the recommended initializers.

    Returns
    -------
    Diagnosis
        ``print`` shows the answer. `score`, `will_train`, `findings()`, `learning_rates()` (the score at other rates),
        `recommendation` and `recommended_score`, `contributions()`, `trial`; `to_html()` and others write the report.

    Raises
    ------
    InvalidParameterError
        If a parameter is not allowed, X is not made of numbers, X or y has finite numbers beyond the range of the
        module's type, X and y differ in length, there are fewer than 20 samples, or all targets are alike.
    ModuleError
        If the model has no module whose layers can be read, or output, targets and loss do not fit each other.

    Notes
    -----
    Hooks of parameters, of modules and of the given optimizer are part of the trial. A schedule of the learning rate,
    gradient clipping in the training loop and augmentation of the data are not. For a
    training with a warmup, give the rate of the warmup's first steps as well as the final one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from initsk import MLPClassifier, diagnose
    >>> X, y = load_digits(return_X_y=True)
    >>> diagnosis = diagnose(MLPClassifier((32, 32), initializer="zeros"), X / 16, y)
    >>> diagnosis.will_train, "symmetric" in diagnosis.findings()["kind"].tolist()
    (False, True)
    >>> diagnose(MLPClassifier((32, 32), initializer="he_normal", random_state=0), X / 16, y).will_train
    True
    """
    options = {
        "optimizer": optimizer, "lr": lr, "criterion": criterion, "output": output, "budget": budget, "target": target,
        "trial_steps": trial_steps, "batch_size": batch_size, "max_samples": max_samples, "time_limit": time_limit,
        "random_state": random_state,
    }  # fmt: skip
    check_options("diagnose", options)
    seed = resolve_seed(random_state)
    with borrowed(model, X, y) as found:
        setup = set_up("diagnose", found, X, y, options, seed)
        settings = describe_model(model, found, X) | setup.described()
    measurements = setup.measure(with_weights=True)
    return Diagnosis(setup, measurements, setup.outcome(measurements.coherence), settings)
