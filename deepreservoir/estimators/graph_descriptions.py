"""The descriptions of the parameters that the estimators of graphs share."""

from __future__ import annotations

from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill, without

_OF_GRAPHS = """\
bias : bool or "paper", default="paper"
        Whether adapted matrices have a trained bias. ``"paper"``: only if ``adapter="full"``, as
        in the paper's networks.
    dropout : float, default=0.5
        Fraction of hidden activations that is dropped during training."""

_GIN = """\
width : int, default=64
        Width of embeddings and layers.
    depth : int, default=3
        Number of layers: how many edges away the nodes are that each node sees.
    pooling : {"mean", "sum", "max"}, default="mean"
        How the nodes of a graph become one row.
    node_categories, edge_categories : "auto" or tuple of int, default="auto"
        Number of categories of each column of integer features; ``"auto"`` takes those that occur
        in `fit`. Give them if others can occur later."""


def graph_documented(cls: type) -> type:
    """Fill the shared parameters and attributes into the docstring of an estimator of graphs."""
    gin = "{gin}" in (cls.__doc__ or "")
    cls.__doc__ = (cls.__doc__ or "").replace("{gin}", _GIN)
    attributes = without(ATTRIBUTES, "n_features_in_", "feature_names_in_") if gin else ATTRIBUTES
    shared = ARCHITECTURE_PARAMETERS
    if not gin:
        shared = shared.replace(
            "A rank above min(d_in, d_out) of\n        a layer is an error.",
            "A rank above min(d_in, d_out) of\n        a layer is allowed, with a warning.",
        )
    return fill(cls, f"{_OF_GRAPHS}\n    {shared}", attributes)
