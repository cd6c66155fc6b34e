"""The descriptions of the parameters that the deep estimators share."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any

# Parameters of the perceptron's layers, which other architectures lack or describe themselves.
_OF_PERCEPTRONS = (
    "hidden_layer_sizes",
    "activation",
    "head",
    "bias",
    "layer_norm",
    "residual",
    "dropout",
    "predict_dtype",
)

#: Parameters of perceptrons.
PARAMETERS = """\
hidden_layer_sizes : tuple of int or int, default=(256, 128)
        Widths of the hidden layers, or the width of a single one.
    activation : {"relu", "tanh", "logistic", "gelu", "silu", "identity"}, default="relu"
        Nonlinearity after each hidden layer.
    rank : int or "auto", default="auto"
        Rank of the read-ins A (rank, d_in) and injections B (d_out, rank). ``"auto"`` is 8,
        or the width of a layer that is narrower than that. A rank above min(d_in, d_out) of
        a layer is an error.
    lora_alpha : float, default=None
        Numerator of the scaling s. None uses the rank, so that s = 1 under
        ``scaling="lora"``; the paper's MNIST runs use 1.
    scaling : {"lora", "rslora"}, default="lora"
        s = lora_alpha / rank, or lora_alpha / sqrt(rank).
    adapter : {"lora", "dora", "full", "none"}, default="lora"
        What is trained in a hidden layer: the low-rank path and beta; the same,
        weight-decomposed (DoRA); all weights, starting from the scaffold's; or nothing.
    scaffold : str, default="normal"
        Family of the frozen weights: a name in ``deepreservoir.scaffold.FAMILIES``.
    scaffold_scale : float or "family", default=1.0
        A gain g: the frozen weights have standard deviation g / sqrt(d_in). ``"family"``
        uses the scale in the definition of the family (paper, table 13).
    scaffold_seed : int, default=None
        Seed of the frozen weights. None draws one from `random_state`; it is kept as
        `scaffold_seed_`.
    storage : {"auto", "dense", "packed", "streamed", "structured"}, default="auto"
        How frozen weights are stored: 4 bytes per weight; 1 to 16 bits per weight; redrawn
        inside every product; or as a structure that is never expanded to a matrix. ``"auto"``
        is structured for ``hadamard`` and ``kronecker``, otherwise dense.
    beta : {"learned", "fixed"} or float, default="learned"
        Scale of the scaffold: learned, starting from 1; fixed at 1; or learned, starting from
        the given value.
    b_init : {"zeros", "kaiming"}, default="zeros"
        Initialisation of the injections B.
    head : {"full", "lora", "lora+bias"}, default="full"
        Output layer: fully trained, with a bias; or a scaffold with an adapter.
    bias : bool or "paper", default=True
        Whether hidden layers have a trained bias. ``"paper"``: only if ``adapter="full"``, as in
        the paper's networks.
    layer_norm : bool, default=False
        Whether to normalise each hidden layer's output before the nonlinearity.
    residual : bool, default=False
        Whether to add a hidden layer's input to its output if the widths are equal.
    dropout : float or "auto", default=0.0
        Fraction of hidden activations that is dropped during training. ``"auto"`` is 0.3, or in
        proportion less if the narrowest layer has less than 64 units; the value is
        ``network_.config.dropout``.
    adapter_dropout : float, default=0.0
        Fraction of the read-in's inputs that is dropped during training.
    {own}
    optimizer : {"adamw", "adam", "sgd", "lbfgs"}, default="adamw"
        How the trained parameters are updated. ``"lbfgs"`` minimises the loss on the whole
        training set with SciPy, which suits small data: an iteration takes the place of an
        epoch, and `batch_size`, `shuffle`, the learning rate and its schedule have no effect.
    learning_rate_init : float, default=3e-3
        Initial learning rate.
    schedule : {"constant", "cosine", "exponential"}, default="cosine"
        Course of the learning rate over `max_iter` epochs. ``partial_fit`` keeps it
        constant.
    lr_decay : float, default=0.9
        Factor per epoch under ``schedule="exponential"``.
    warmup : float, default=0.0
        Fraction of all steps over which the learning rate first rises.
    weight_decay : float or "auto", default=1e-2
        Decay of matrices; betas, biases and norms do not decay. Decoupled under "adamw",
        added to the gradient (L2) under the others. ``"auto"`` under "adamw" is 70 over the
        square root of the number of training steps (the normalised weight decay of Loshchilov
        and Hutter, 2019), so that larger tables get less; if `max_iter` is less than 150, the
        value for 150 epochs times `max_iter` / 150; and in proportion less if the narrowest
        layer has less than 64 units. Under the others it is 1e-4. The value is kept as
        `weight_decay_`.
    momentum : float, default=0.9
        Nesterov momentum under ``optimizer="sgd"``.
    max_fun : int, default=15000
        Largest number of evaluations of the loss under ``optimizer="lbfgs"``.
    max_grad_norm : float, default=None
        Upper limit on the Euclidean norm of the gradient.
    ema_decay : float, "auto" or None, default=None
        Decay of a moving average of the weights, which replaces them at the end. ``"auto"``
        averages over a tenth of the training steps, at most 100; the value is kept as
        `ema_decay_`.
    batch_size : int or "auto", default="auto"
        Rows per training step; ``"auto"`` is 128. A training set that fits in one batch is
        used as a whole: then neither the order of rows matters nor whether a row is repeated
        or weighted.
    max_iter : int, default=200
        Number of epochs, which are passes over the training set.
    shuffle : bool, default=True
        Whether to shuffle the rows in each epoch.
    tol : float, default=1e-4
        Smallest change that counts as an improvement; under ``optimizer="lbfgs"``, the largest
        entry of the gradient at which the loss counts as minimal.
    n_iter_no_change : int or inf, default=10
        Stop after this many consecutive epochs without improvement of the validation score or
        loss (with `early_stopping`) or of the training loss (under ``schedule="constant"``), but
        not before 100 training steps without improvement. Under a schedule that decays, training
        without `early_stopping` lasts for `max_iter` epochs.
    early_stopping : bool, default=False
        Whether to keep the weights with the best score on a validation set; of equal scores,
        those with the lowest loss. The set is the `eval_set` of `fit` or, without one, a part of
        the rows that is held out.
    validation_fraction : float, default=0.1
        Fraction of the rows held out under `early_stopping`.
    projection_cache : int or "auto", default="auto"
        Maximum size in bytes of the first layer's frozen product with the training set,
        which is computed once if it fits; 0 for never. ``"auto"`` is 1 GiB.
    resample : None, "epoch", ("step", k) or ("microbatch", k), default=None
        Whether the frozen weights are redrawn during training, as a control: once per epoch;
        k times per step, with averaged gradients; or for each of k parts of a batch. With
        ``"epoch"``, `scaffold_seed_` is the seed of the epoch whose weights are kept; with the
        others, predictions use the scaffold of `scaffold_seed`.
    warm_start : bool, default=False
        Whether `fit` continues from the parameters trained before.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds of scaffold, initial values, order of rows and dropout. The same
        integer gives the same adapter, bit for bit, on the same machine with the same number
        of threads.
    verbose : bool or int, default=False
        True or 1 for a progress bar, 2 for a line per epoch.
    dtype : {"float32", "float64"}, default="float32"
        Type of all computations.
    predict_dtype : {"float64", "float32"}, default="float64"
        Type in which predictions are computed on the CPU. In float64, a row's outputs do not
        depend, to float32 precision, on the rows that are predicted with it; float32 is faster,
        by a factor of 1.4 to 2.6 in the benchmarks. It can be changed after `fit`. On a GPU it is
        `dtype`.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Where to compute.
    precision : {"float32", "tf32", "bfloat16"}, default="float32"
        Format to which the factors of matrix products are rounded on a GPU, so that its matrix
        units can be used: ``"tf32"`` keeps 10 bits of the mantissa, ``"bfloat16"`` 7. Weights, sums
        and all other operations stay in `dtype`. It has no effect on the CPU, or in float64."""

#: Attributes of the estimators of all architectures.
ATTRIBUTES = """\
network_ : Network
        The trained network: config, seed and adapter.
    betas_ : dict of str to float
        Scale of each scaffold, by path of its layer.
    history_ : dict of str to list
        One entry per epoch: ``loss``, ``learning_rate``, ``beta``, and with `early_stopping`
        or an `eval_set` ``validation_loss`` and ``validation_score``. A `fit` that continues
        under `warm_start`, and `partial_fit`, add to it; what only some of the epochs have is NaN
        in the others.
    ranks_ : dict of str to int
        Rank of each adapter, by path of its layer.
    batch_size_ : int
        Rows per training step; not kept in files.
    weight_decay_ : float
        The weight decay that was used; not kept in files.
    ema_decay_ : float or None
        The decay of the weight average that was used; not kept in files.
    stop_reason_ : {"budget", "converged", "callback", "interrupted"}
        Why training ended: `max_iter` was reached, nothing improved any more, a callback asked
        for it, or Ctrl-C or an error in a callback interrupted it.
    n_iter_ : int
        Number of epochs of the last call.
    t_ : int
        Number of samples trained on, each counted in every epoch.
    loss_curve_ : list of float
        The training loss of each epoch, as in `history_`.
    loss_, best_loss_ : float or None
        The last and the smallest of them; `best_loss_` is None with `early_stopping`.
    validation_scores_ : list of float or None
        The validation score of each epoch: accuracy or R^2, weighted by the sample weights and
        by `class_weight`. None without a validation set.
    best_validation_score_ : float or None
        The largest of them.
    out_activation_ : {"softmax", "logistic", "identity"}
        Function of the outputs.
    n_outputs_ : int
        Number of outputs.
    n_trained_params_ : int
        Number of all trained parameters: adapters, betas, biases, norms and head.
    n_scaffold_params_ : int
        Number of frozen weights, which are determined by the seed.
    scaffold_seed_ : int
        Seed of the frozen weights.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, if X has string column names."""

_OF_DENSE_LAYERS = """\
n_layers_ : int
        Number of layers, including the input and the output.
    coefs_, intercepts_ : list of ndarray
        Weights (d_in, d_out) and biases (d_out,) of each layer, with scaffold and adapter in one
        matrix, in the type of the X of `fit`. They are computed on access; with ``layer_norm``
        or ``residual`` they are only a part of each layer."""

#: Attributes of perceptrons.
PERCEPTRON_ATTRIBUTES = f"{ATTRIBUTES}\n    {_OF_DENSE_LAYERS}"


def without(text: str, *names: str) -> str:
    """Return descriptions of parameters or attributes without those of `names`.

    Raises
    ------
    ValueError
        If one of the names is not described.
    """
    entries = {entry.split(" : ", 1)[0]: entry for entry in re.split(r"\n    (?=\S)", text)}
    missing = set(names) - set(entries)
    if missing:
        raise ValueError(f"no description of {', '.join(sorted(missing))}, only of {[*entries]}")
    return "\n    ".join(entry for name, entry in entries.items() if name not in names)


#: Parameters of the estimators of the other architectures, which do not decay their adapters.
ARCHITECTURE_PARAMETERS = (
    without(PARAMETERS, *_OF_PERCEPTRONS)
    .replace(
        "Decay of matrices; betas, biases and norms do not decay.",
        "Decay of trained matrices; adapters, betas, biases and norms do not decay.",
    )
    .replace(
        """used as a whole: then neither the order of rows matters nor whether a row is repeated
        or weighted.""",
        "used as a whole.",
    )
)


def fill(cls: type, parameters: str, attributes: str) -> type:
    """Fill the placeholders ``{parameters: ... }`` and ``{attributes}`` in a class's docstring.

    The text between ``{parameters:`` and ``}`` takes the place of ``{own}`` in `parameters`.
    """
    text = cls.__doc__ or ""
    head, placeholder, rest = text.partition("{parameters:")
    if placeholder:
        own_text, _, rest = rest.partition("\n    }")
        text = head + parameters.replace("{own}", own_text.strip()) + rest
    cls.__doc__ = _with_defaults(cls, text.replace("{attributes}", attributes))
    return cls


def _with_defaults(cls: Any, text: str) -> str:
    """Replace the defaults in descriptions of parameters by those of the class."""
    defaults = {each.name: each.default for each in fields(cls)}

    def replaced(found: re.Match[str]) -> str:
        start, name = found.groups()
        value = defaults.get(name, MISSING)
        if value is MISSING:
            return found[0]
        return start + (f'"{value}"' if isinstance(value, str) else repr(value))

    return re.sub(r"^(    (\w+) : .*, default=).*$", replaced, text, flags=re.MULTILINE)


def documented(cls: type) -> type:
    """Fill the parameters and attributes of perceptrons into the docstring of an estimator."""
    return fill(cls, PARAMETERS, PERCEPTRON_ATTRIBUTES)
