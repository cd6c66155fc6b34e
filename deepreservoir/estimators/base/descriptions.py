"""The parameter descriptions that the deep estimators share, written once."""

from __future__ import annotations

import re

PARAMETERS = """\
hidden_layer_sizes : tuple of int, default=(256, 128)
        Widths of the hidden layers.
    activation : {"relu", "tanh", "gelu", "silu", "identity"}, default="relu"
        Nonlinearity after each hidden layer.
    rank : int or "auto", default="auto"
        Rank of the read-ins A (rank, d_in) and injections B (d_out, rank). ``"auto"`` is 8,
        or the width of a layer that is narrower than that. A rank over min(d_in, d_out) of
        a layer is an error.
    lora_alpha : float, default=None
        Numerator of the scaling s. None takes the rank, so that s = 1 under
        ``scaling="lora"``; the paper's MNIST runs use 1.
    scaling : {"lora", "rslora"}, default="lora"
        s = lora_alpha / rank, or lora_alpha / sqrt(rank).
    adapter : {"lora", "dora", "full", "none"}, default="lora"
        What is trained of a hidden layer: the low-rank path and beta; the same,
        weight-decomposed (DoRA); all weights, starting from the scaffold's; or nothing.
    scaffold : str, default="normal"
        Family of the frozen weights: a name in ``deepreservoir.scaffold.FAMILIES``.
    scaffold_scale : float or "family", default=1.0
        A gain g: the frozen weights have standard deviation g / sqrt(d_in). ``"family"``
        keeps the scale of the family's definition (paper, table 13).
    scaffold_seed : int, default=None
        Seed of the frozen weights. None draws one from `random_state`; it is kept as
        `scaffold_seed_`.
    storage : {"auto", "dense", "packed", "streamed", "structured"}, default="auto"
        How frozen weights are kept: 4 bytes each; 1 to 16 bits each; drawn again inside
        every product; or as a structure that is never written out. ``"auto"`` is structured
        for ``hadamard`` and ``kronecker``, else dense.
    beta : {"learned", "fixed"} or float, default="learned"
        Scale of the scaffold: learned from 1 on, fixed at 1, or learned from a given start.
    b_init : {"zeros", "kaiming"}, default="zeros"
        Start of the injections B.
    head : {"full", "lora", "lora+bias"}, default="full"
        Output layer: trained in full with a bias, or a scaffold with an adapter.
    bias : bool or "auto", default="auto"
        Whether hidden layers have a trained bias. ``"auto"``: only under ``adapter="full"``.
    layer_norm : bool, default=False
        Normalise each hidden layer's output before the nonlinearity.
    residual : bool, default=False
        Add a hidden layer's input to its output, where the widths are equal.
    dropout : float, default=0.0
        Share of hidden activations dropped while training.
    adapter_dropout : float, default=0.0
        Share of the read-in's inputs dropped while training.
    {own}
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        How the trained numbers are updated.
    learning_rate_init : float, default=3e-3
        Learning rate at the start.
    schedule : {"constant", "cosine", "exponential"}, default="cosine"
        How the learning rate goes on over `max_iter` epochs. ``partial_fit`` keeps it
        constant.
    lr_decay : float, default=0.9
        Factor an epoch under ``schedule="exponential"``.
    warmup : float, default=0.0
        Share of all steps over which the learning rate first rises.
    weight_decay : float, default=1e-2
        Decay of matrices; betas, biases and norms do not decay. Decoupled under "adamw",
        added to the gradient (L2) under "adam" and "sgd".
    momentum : float, default=0.9
        Nesterov momentum under ``optimizer="sgd"``.
    max_grad_norm : float, default=None
        Limit of the gradient's Euclidean norm.
    ema_decay : float, default=None
        Decay of an average of the weights, which takes their place in the end.
    batch_size : int or "auto", default="auto"
        Rows a training step; ``"auto"`` is 128. A training set that fits one batch is taken
        as a whole: then the order of rows does not matter, nor whether a row is repeated
        or weighted.
    max_iter : int, default=200
        Epochs: passes over the training set.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    tol : float, default=1e-4
        Improvement that counts as one.
    n_iter_no_change : int, default=10
        Stop after as many epochs in a row without improvement of the training loss or,
        with `early_stopping`, of the validation score.
    early_stopping : bool, default=False
        Hold out a validation set, and keep the weights of its best score.
    validation_fraction : float, default=0.1
        Share held out under `early_stopping`.
    projection_cache : int or "auto", default="auto"
        Limit, in bytes, of the first layer's frozen product with the training set, which is
        computed once where it fits; 0 for never. ``"auto"`` is 1 GiB.
    resample : None, "epoch", ("step", k) or ("microbatch", k), default=None
        Whether the frozen weights are drawn anew while training, as a control: once an epoch;
        k times a step, with gradients averaged; or for each of k parts of a batch. The first
        keeps, in `scaffold_seed_`, the scaffold of the epoch that is kept; after the others
        prediction is on the scaffold of `scaffold_seed`.
    warm_start : bool, default=False
        Let `fit` go on from the numbers trained before.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds: scaffold, start values, order of rows, dropout. The same integer
        gives the same adapter, bit for bit, on the same machine with as many threads.
    verbose : bool, default=False
        Show a bar.
    dtype : {"float32", "float64"}, default="float32"
        Type of all computation.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Where to compute."""

ATTRIBUTES = """\
network_ : Network
        The trained network: config, seed and adapter.
    betas_ : dict of str to float
        Scale of each scaffold, by path of its layer.
    history_ : dict of str to list
        One entry an epoch: ``loss``, ``learning_rate``, ``beta``, and with `early_stopping`
        ``validation_loss`` and ``validation_score``.
    stop_reason_ : {"budget", "converged", "interrupted"}
        Why training ended.
    n_iter_ : int
        Epochs run.
    n_trained_params_ : int
        Trained numbers, all of them: adapters, betas, biases, norms, head.
    n_scaffold_params_ : int
        Frozen weights, which follow from the seed.
    scaffold_seed_ : int
        Seed of the frozen weights.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X has string column names."""


def without(text: str, *names: str) -> str:
    """Return descriptions of parameters or attributes without those of `names`."""
    entries = re.split(r"\n    (?=\S)", text)
    return "\n    ".join(entry for entry in entries if entry.split(" ", 1)[0] not in names)


def fill(cls: type, parameters: str, attributes: str) -> type:
    """Fill the marks ``{parameters: own ones }`` and ``{attributes}`` of a class's docstring."""
    text = cls.__doc__ or ""
    head, own, rest = text.partition("{parameters:")
    if own:
        own_text, _, rest = rest.partition("\n    }")
        text = head + parameters.replace("{own}", own_text.strip()) + rest
    cls.__doc__ = text.replace("{attributes}", attributes)
    return cls


def documented(cls: type) -> type:
    """Fill a deep estimator's docstring with the shared parameters and attributes."""
    return fill(cls, PARAMETERS, ATTRIBUTES)
