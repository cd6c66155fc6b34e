"""A graph convolutional network as a classifier of the nodes of a graph."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..backend import Array, array_module, is_on_device
from ..inputs import NodeReader, Nodes, Reader
from ..models import GCNConfig
from .base.classifier import DeepClassifier
from .base.node_labels import UNLABELLED, labels_of_nodes
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator
from .base.training_plan import WHOLE_SET
from .graph_descriptions import graph_documented


@dataclass(eq=False, repr=False)
class GraphConvolution(AdaptationParameters):
    """The parameters of a graph convolutional network, and its configuration."""

    hidden_layer_sizes: tuple[int, ...] = (64,)
    _: KW_ONLY
    batch_norm: bool = True
    dropout: float = 0.5
    bias: bool | str = "paper"

    def network_config(self, n_features: int, n_outputs: int) -> GCNConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        n_features, n_outputs : int
            Widths of the input and the output.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        if self.bias not in (True, False, "paper"):
            raise ValueError(f"bias must be True, False or 'paper'; got {self.bias!r}")
        return GCNConfig(
            n_features=n_features,
            n_outputs=n_outputs,
            hidden_layer_sizes=self.hidden_layer_sizes,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            bias=self.adapter == "full" if self.bias == "paper" else bool(self.bias),
            **self.adaptation(),
        )


@register_estimator
@graph_documented
@dataclass(eq=False, repr=False)
class GCNClassifier(GraphConvolution, DeepClassifier):
    """A classifier of the nodes of a graph, whose weight matrices are drawn from a seed and frozen.

    A graph convolutional network (Kipf and Welling, 2017) in which only low-rank adapters, one
    scale per layer and batch normalisation are trained (LottaLoRA, arXiv 2604.08749). It learns
    from some labelled nodes of a graph and predicts the labels of all: every training step passes
    over the whole graph. Nodes without a label have the label -1.

    The graph is given by `adjacency`, or with X: a :class:`deepreservoir.Nodes` holds features
    and graph, and can be cut into folds and held-out sets.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(64,)
        Widths of the hidden layers, at least one; a node sees nodes that are
        as many edges away as there are layers, hidden ones and the last one.
    batch_norm : bool, default=True
        Whether to normalise the outputs of hidden layers over the nodes. For a few labelled nodes,
        features of unit size without normalisation are often better.
    {parameters:
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" weights every class inversely to the sum of
        its sample weights.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels, without -1.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter or the data are out of range; the
        message names them, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    See Also
    --------
    GINClassifier : A classifier of whole graphs.

    References
    ----------
    Kipf and Welling, Semi-supervised classification with graph convolutional networks, ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import GCNClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)  # two groups, with more edges inside than between them
    >>> links = rng.random((80, 80)) < np.where(y[:, None] == y, 0.2, 0.02)
    >>> adjacency = np.triu(links, 1) | np.triu(links, 1).T
    >>> known = np.where(np.arange(80) % 10 == 0, y, -1)  # the labels of eight nodes
    >>> model = GCNClassifier((16,), rank=2, max_iter=60, random_state=0)
    >>> model = model.fit(np.eye(80), known, adjacency=adjacency)
    >>> model.score(np.eye(80), y, adjacency=adjacency) > 0.9
    True
    """

    def new_reader(self) -> Reader:
        return NodeReader()

    def _training_parameters(self) -> dict[str, Any]:
        # Every step passes over the whole graph, so by default it uses all labels.
        params = super()._training_parameters()
        return params | {"batch_size": WHOLE_SET} if params["batch_size"] == "auto" else params

    # The graph beside X -------------------------------------------------------------------

    def _nodes(self, X: Any, adjacency: Any) -> Nodes:
        """Return X as nodes of a graph."""
        if isinstance(X, Nodes):
            if adjacency is not None:
                raise ValueError("adjacency must be None if X is a Nodes, which holds a graph")
            return X
        if is_on_device(X):
            raise TypeError(
                "X must be on the host: the graph is prepared there, and then moved to the device "
                "of the estimator. Convert it with deepreservoir.backend.to_host"
            )
        if adjacency is None:
            raise ValueError(
                f"{type(self).__name__} needs the graph of the nodes: pass adjacency, a symmetric "
                "matrix (n_nodes, n_nodes), or X as a deepreservoir.Nodes"
            )
        # Array-likes such as lists get their shape; what they hold is checked with the others.
        return Nodes(X if hasattr(X, "shape") else np.asarray(X), adjacency)

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        nodes = self._nodes(X, None)
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != (len(nodes),):
            raise ValueError(
                f"y must have one label per node, shape ({len(nodes)},); got shape {y.shape}"
            )
        return self._validated(nodes, reset, np.dtype(self.dtype)), y

    def validated_features(self, X: Any, on_device: bool) -> Any:
        return self._validated(self._nodes(X, None), False, [np.float64, np.float32])

    def _validated(self, nodes: Nodes, reset: bool, dtype: Any) -> Nodes:
        """Return nodes whose features have been checked, and are an array or a CSR matrix."""
        features = validate_data(
            self, nodes.features, reset=reset, accept_sparse="csr", dtype=dtype, order="C"
        )
        return nodes.with_features(features)

    def labelled_samples(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        """Return the labelled nodes, their labels, and their weights."""
        nodes, (labels, known) = self._nodes(X, None), labels_of_nodes(y)
        if len(known) != len(nodes):
            raise ValueError(
                f"y must have one label per node, shape ({len(nodes)},), -1 for a node without a "
                f"label; got shape {np.shape(y)}"
            )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, known, dtype=np.float64)
        if known.all():
            return nodes, labels, sample_weight
        chosen = np.flatnonzero(known)
        return nodes[chosen], labels, None if sample_weight is None else sample_weight[chosen]

    # scikit-learn's methods ---------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        checkpoint: Any = None,
        *,
        adjacency: Any = None,
        eval_set: Any = None,
        callback: Any = None,
        parts: int | None = None,
        workers: int | None = None,
        cluster: str | None = None,
    ) -> Self:
        """Train the adapters on the labelled nodes of a graph.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_nodes, n_features), or Nodes
            Features of all nodes, labelled or not.
        y : array-like, shape (n_nodes,)
            Class labels; -1 for a node without a label.
        sample_weight : array-like, shape (n_nodes,), optional
            Weight of each node in the loss; a node of weight zero counts as one without a label.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.
        adjacency : sparse or dense matrix, shape (n_nodes, n_nodes), optional
            The graph: symmetric weights that are not negative, without self-loops. Required,
            unless X is a :class:`deepreservoir.Nodes`.
        eval_set : tuple (X_val, y_val) or (X_val, y_val, sample_weight), optional
            Held-out nodes whose loss and score are recorded after every epoch, in `history_`: a
            :class:`deepreservoir.Nodes`, or features of nodes of the graph `adjacency`. With
            `early_stopping`, they take the place of the labels that are held out otherwise.
        callback : callable, optional
            Called after every epoch with an :class:`~deepreservoir.training.EpochEnd`; training
            ends if it returns True or raises StopIteration.
        parts : int, optional
            Number of parts that each batch is cut into, which must divide `batch_size`. The parts
            are computed with one BLAS thread each, and their gradients summed in order, so that
            the result depends on `parts` and not on who computes them. By default as many as
            `workers`; without either, batches are whole.
        workers : int, optional
            Number of processes on this machine that compute the parts; this process by default.
        cluster : str, optional
            Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, whose workers compute
            the parts instead. It needs `parts`.

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If Ctrl-C or a failing callback ended training early; the model is usable.
        """
        nodes = self._nodes(X, adjacency)
        if isinstance(eval_set, tuple | list) and len(eval_set) in (2, 3):
            X_val, *others = eval_set
            given = None if isinstance(X_val, Nodes) else adjacency
            eval_set = (self._nodes(X_val, given), *others)
        divided = (parts, workers, cluster)
        return self._fit(nodes, y, sample_weight, checkpoint, eval_set, callback, divided)

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: Any = None,
        sample_weight: Any = None,
        adjacency: Any = None,
    ) -> Self:
        """Train for one pass over the labelled nodes, at a constant learning rate.

        Parameters
        ----------
        X, y, sample_weight, adjacency : as in fit
        classes : array-like, shape (n_classes,), optional
            All labels that will occur, without -1; required on the first call.

        Returns
        -------
        self
        """
        if classes is not None and UNLABELLED in np.asarray(classes, dtype=object):
            raise ValueError(
                f"classes must not contain {UNLABELLED}, which stands for a node without a label; "
                f"got {list(classes)}"
            )
        return super().partial_fit(self._nodes(X, adjacency), y, classes, sample_weight)

    def decision_function(self, X: Any, adjacency: Any = None) -> Array:
        """Return the logits of nodes.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_nodes, n_features), or Nodes
        adjacency : sparse or dense matrix, shape (n_nodes, n_nodes), optional
            The graph of these nodes, which may be another one than in `fit`. Required, unless X
            is a :class:`deepreservoir.Nodes`.

        Returns
        -------
        ndarray of float64, shape (n_nodes,) for two classes, else (n_nodes, n_classes)
        """
        return super().decision_function(self._nodes(X, adjacency))

    def predict(self, X: Any, adjacency: Any = None) -> Array:
        """Return the most probable label of each node, shape (n_nodes,).

        Parameters
        ----------
        X, adjacency : as in decision_function
        """
        return super().predict(self._nodes(X, adjacency))

    def predict_log_proba(self, X: Any, adjacency: Any = None) -> Array:
        """Return log probabilities, float64, shape (n_nodes, n_classes).

        Parameters
        ----------
        X, adjacency : as in decision_function
        """
        return super().predict_log_proba(self._nodes(X, adjacency))

    def predict_proba(self, X: Any, adjacency: Any = None) -> Array:
        """Return probabilities, float64, shape (n_nodes, n_classes), in order of `classes_`.

        Parameters
        ----------
        X, adjacency : as in decision_function
        """
        log_p = self.predict_log_proba(X, adjacency)
        return array_module(log_p).exp(log_p)

    def score(self, X: Any, y: Any, sample_weight: Any = None, adjacency: Any = None) -> float:
        """Return the accuracy on the nodes that have a label.

        Parameters
        ----------
        X, y, sample_weight, adjacency : as in fit

        Returns
        -------
        float
        """
        return super().score(*self.labelled_samples(self._nodes(X, adjacency), y, sample_weight))
