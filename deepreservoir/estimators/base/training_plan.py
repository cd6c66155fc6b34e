"""Checks of an estimator's training parameters, and the training plan that they describe."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from ...backend import resolve_device
from ...checks import check_choice, check_flag, check_integer, is_finite_number, is_integer
from ...kernels import PRECISIONS, precision_problem
from ...optim import (
    LBFGS,
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Optimiser,
    Schedule,
    WarmUp,
)
from ...params import DECAYED
from ...training import PASS_SAMPLES, PROJECTION_LIMIT, Plan, Resample

OPTIMIZERS = ("adamw", "adam", "sgd", "lbfgs")
SCHEDULES = ("constant", "cosine", "exponential")

#: Samples per training step under batch_size="auto".
DEFAULT_BATCH = 128

#: The batch size of training steps that use all samples, however many there are.
WHOLE_SET = sys.maxsize

#: Training is not stopped before this many steps without improvement: on a small table an epoch is
#: one step, and ten steps do not show that a network has stopped learning.
PATIENCE_STEPS = 100

#: Normalised weight decay under weight_decay="auto" (Loshchilov and Hutter, 2019, appendix B): the
#: decay is this over the square root of the number of steps, so that a larger table, which needs
#: less regularisation, gets less. It was chosen for trainings of 150 epochs. A shorter training is
#: regularised by being short, and gets in proportion less.
NORMALISED_DECAY, CHOSEN_EPOCHS = 70.0, 150

#: Under ema_decay="auto", weights are averaged over a tenth of the steps, at most 100: a longer
#: average would lag behind in a short training.
AVERAGED_SHARE, LONGEST_AVERAGE = 10, 100

#: L2 penalty under weight_decay="auto" for optimisers without decoupled decay, as in scikit-learn.
L2_DECAY = 1e-4

# name -> (lowest, whether it is included, highest, whether it is included, None allowed)
_REALS: dict[str, tuple[float, bool, float, bool, bool]] = {
    "learning_rate_init": (0, False, float("inf"), False, False),
    "weight_decay": (0, True, float("inf"), False, False),
    "momentum": (0, True, 1, False, False),
    "lr_decay": (0, False, 1, True, False),
    "warmup": (0, True, 1, False, False),
    "tol": (0, True, float("inf"), False, False),
    "validation_fraction": (0, False, 1, False, False),
    "max_grad_norm": (0, False, float("inf"), False, True),
    "ema_decay": (0, False, 1, False, True),
    "label_smoothing": (0, True, 1, False, False),
    "huber_delta": (0, False, float("inf"), False, False),
}
_INTEGERS = {"max_iter": 1, "max_fun": 1, "gradient_accumulation": 1}
_FLAGS = ("shuffle", "warm_start", "early_stopping")
_CHOICES = {
    "precision": PRECISIONS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "loss": ("squared_error", "huber"),
}


def _check_real(name: str, value: object) -> None:
    low, low_in, high, high_in, optional = _REALS[name]
    if value is None and optional:
        return
    fits = is_finite_number(value)
    fits = fits and (low <= value if low_in else low < value)  # type: ignore[operator]
    fits = fits and (value <= high if high_in else value < high)  # type: ignore[operator]
    if not fits:
        interval = f"{'[' if low_in else '('}{low}, {high}{']' if high_in else ')'}"
        or_none = " or None" if optional else ""
        raise ValueError(f"{name} must be a number in {interval}{or_none}; got {value!r}")


def check_training_params(
    params: dict[str, Any], defaults: Mapping[str, Any] | None = None
) -> None:
    """Raise a ValueError that names the first training parameter that is out of range.

    Parameters
    ----------
    params : dict
    defaults : mapping, optional
        Default values of the parameters. Those that have no effect under L-BFGS may have them.
    """
    for name, value in params.items():
        if name in ("weight_decay", "ema_decay") and isinstance(value, str):
            check_choice(name, value, ("auto",))
        elif name in _REALS:
            _check_real(name, value)
        elif name in _INTEGERS:
            check_integer(name, value, _INTEGERS[name])
        elif name in _CHOICES:
            check_choice(name, value, _CHOICES[name])
        elif name in _FLAGS:
            check_flag(name, value)
    problem = precision_problem(params["precision"])
    if problem is not None and resolve_device(params["device"]) != "cpu":
        raise ValueError(problem)
    patience = params["n_iter_no_change"]
    if not (is_integer(patience) and patience >= 1) and patience != float("inf"):
        raise ValueError(
            f"n_iter_no_change must be an integer of at least 1, or inf to never stop before "
            f"max_iter; got {patience!r}"
        )
    verbose = params["verbose"]
    if not isinstance(verbose, bool | np.bool_) and not (is_integer(verbose) and verbose >= 0):
        raise ValueError(
            "verbose must be True or False, or an integer: 0 for no output, 1 for a progress bar, "
            f"2 for a line per epoch; got {verbose!r}"
        )
    if resampling(params) not in (None, Resample("epoch")) and _parts(params) > 1:
        raise ValueError(
            f"resample={params['resample']!r} splits or repeats batches itself; set "
            f"gradient_accumulation=1, or resample to None or 'epoch'; got "
            f"gradient_accumulation={params['gradient_accumulation']!r}"
        )
    if params["optimizer"] == "lbfgs":
        _check_lbfgs(params, defaults or {})
    batch = params["batch_size"]
    if batch != "auto" and not (is_integer(batch) and batch >= 1):
        raise ValueError(f"batch_size must be 'auto' or an integer of at least 1; got {batch!r}")
    cache = params["projection_cache"]
    if cache != "auto" and not (is_integer(cache) and cache >= 0):
        raise ValueError(
            f"projection_cache must be 'auto' or a limit in bytes, 0 for none; got {cache!r}"
        )
    for name in ("scaffold_seed", "random_state"):
        value = params.get(name)
        if value is None:
            continue
        # A random_state may also be a generator, which scikit-learn checks.
        no_seed = not is_integer(value) and name == "scaffold_seed"
        if no_seed or (is_integer(value) and value < 0):
            raise ValueError(f"{name} must be a non-negative integer or None; got {value!r}")
        if name == "random_state" and is_integer(value) and value >= 2**32:
            raise ValueError(f"random_state must be less than 2**32, as in NumPy; got {value}")


def _check_lbfgs(params: dict[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raise if a parameter asks for what L-BFGS cannot do, unless it has its default value."""
    unavailable = {
        "early_stopping": False,
        "resample": None,
        "dropout": 0.0,
        "adapter_dropout": 0.0,
        "stochastic_depth": 0.0,
        "augmentation": None,
        "max_grad_norm": None,
        "ema_decay": None,
        "gradient_accumulation": 1,
    }
    for name, off in unavailable.items():
        if params.get(name, off) not in (off, defaults.get(name, off)):
            raise ValueError(
                f"optimizer='lbfgs' minimises one loss on the whole training set, and needs "
                f"{name}={off!r}; got {params[name]!r}"
            )


def takes_steps(model: Any) -> bool:
    """Return whether a model can be trained a step at a time, as `partial_fit` does.

    Raises
    ------
    AttributeError
        If it cannot; the message says why.
    """
    if model.optimizer == "lbfgs":
        raise AttributeError(
            "partial_fit is not available with optimizer='lbfgs', which needs the whole training "
            "set; use fit, or another optimizer"
        )
    return True


def resampling(params: dict[str, Any]) -> Resample | None:
    """Return when scaffolds are redrawn, after checking that the adapter allows it."""
    value = params.get("resample")
    if value is None:
        return None
    when: Any
    when, count = (value, 1) if isinstance(value, str) else _pair(value)
    counted = when in ("step", "microbatch") and is_integer(count) and count >= 1
    if not (value == "epoch" or (counted and not isinstance(value, str))):
        raise ValueError(
            'resample must be None, "epoch", ("step", k) or ("microbatch", k) with k at least 1; '
            f"got {value!r}"
        )
    if params["adapter"] == "full":
        raise ValueError(
            f'resample={value!r} needs a frozen scaffold, but adapter="full" trains every weight; '
            "set resample=None"
        )
    return Resample(when, int(count))


def _pair(value: Any) -> tuple[Any, Any]:
    return tuple(value) if isinstance(value, tuple | list) and len(value) == 2 else (None, None)


def _parts(params: dict[str, Any]) -> int:
    """Return the number of parts whose gradients are summed in a step."""
    return int(params.get("gradient_accumulation", 1))


def batch_size_of(params: dict[str, Any]) -> int:
    """Return the number of samples per training step; L-BFGS takes all that fit in one pass."""
    if params["optimizer"] == "lbfgs":
        return PASS_SAMPLES
    size = params["batch_size"]
    return DEFAULT_BATCH if size == "auto" else int(size)


def weight_decay_of(params: dict[str, Any], epoch_steps: int, width_factor: float) -> float:
    """Return the weight decay of a training with `epoch_steps` steps per epoch.

    Parameters
    ----------
    params : dict
    epoch_steps : int
    width_factor : float
        As :attr:`NetworkConfig.width_factor`.
    """
    value = params["weight_decay"]
    if value != "auto":
        return float(value)
    if params["optimizer"] != "adamw":
        return L2_DECAY
    epochs = params["max_iter"]
    share = min(1.0, epochs / CHOSEN_EPOCHS)
    steps = epoch_steps * max(epochs, CHOSEN_EPOCHS)
    return share * width_factor * NORMALISED_DECAY / sqrt(steps)


def ema_decay_of(params: dict[str, Any], epoch_steps: int) -> float | None:
    """Return the decay of the weight average of a training with `epoch_steps` steps per epoch."""
    value = params["ema_decay"]
    if value is None or value != "auto":
        return None if value is None else float(value)
    steps = epoch_steps * params["max_iter"] / AVERAGED_SHARE
    return 1 - 1 / min(LONGEST_AVERAGE, max(2.0, steps))


def _optimiser(params: dict[str, Any], decay: float) -> Optimiser | LBFGS:
    if params["optimizer"] == "lbfgs":
        return LBFGS(int(params["max_fun"]), decay)
    if params["optimizer"] == "sgd":
        return SGD(momentum=float(params["momentum"]), weight_decay=decay)
    return (AdamW if params["optimizer"] == "adamw" else Adam)(weight_decay=decay)


def _schedule(params: dict[str, Any], epoch_steps: int) -> Schedule:
    steps = epoch_steps * params["max_iter"]
    warmup = round(params["warmup"] * steps)
    schedules: dict[str, Schedule] = {
        "constant": Constant(),
        "cosine": Cosine(steps - warmup),
        "exponential": Exponential(float(params["lr_decay"]), epoch_steps),
    }
    chosen = schedules[params["schedule"]]
    return WarmUp(warmup, chosen) if warmup else chosen


def _patience(params: dict[str, Any]) -> int | None:
    """Return after how many epochs without improvement training stops; None for never.

    Under a learning rate that decays, the training loss is no reason to stop: it stands still while
    the rate is high, and falls again when the rate does.
    """
    judged = params["early_stopping"] or params["schedule"] == "constant"
    patience = params["n_iter_no_change"]
    return None if patience == float("inf") or not judged else int(patience)


def projection_limit(params: dict[str, Any]) -> int:
    """Return the maximum size in bytes of the first frozen product; 0 if scaffolds change."""
    if params.get("resample") is not None:
        return 0
    cache = params["projection_cache"]
    return PROJECTION_LIMIT if cache == "auto" else int(cache)


def make_plan(
    params: dict[str, Any],
    epoch_steps: int,
    seed: int,
    one_pass: bool = False,
    decayed: frozenset[str] = DECAYED,
    width_factor: float = 1.0,
) -> Plan:
    """Return the plan of `fit`, or of one pass of `partial_fit` at a constant learning rate.

    Parameters
    ----------
    params : dict
        The estimator's parameters, checked.
    epoch_steps : int
        Number of training steps per epoch.
    seed : int
        Seed of the order of rows and of dropout.
    one_pass : bool
    decayed : collection of str
        Groups of parameters that weight decay applies to.
    width_factor : float
        As :attr:`NetworkConfig.width_factor`.
    """
    return Plan(
        optimiser=_optimiser(params, weight_decay_of(params, epoch_steps, width_factor)),
        rate=float(params["learning_rate_init"]),
        schedule=Constant() if one_pass else _schedule(params, epoch_steps),
        epochs=1 if one_pass else int(params["max_iter"]),
        batch_size=batch_size_of(params),
        shuffle=bool(params["shuffle"]),
        seed=seed,
        clip_norm=params["max_grad_norm"],
        ema_decay=None if one_pass else ema_decay_of(params, epoch_steps),
        tol=float(params["tol"]),
        patience=None if one_pass else _patience(params),
        patience_steps=PATIENCE_STEPS,
        projection_limit=projection_limit(params),
        decayed=decayed,
        resample=resampling(params),
        parts=_parts(params),
        early_stopping=bool(params["early_stopping"]),
        verbose=int(params["verbose"]),
    )
