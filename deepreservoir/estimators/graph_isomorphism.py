"""Graph isomorphism networks as a classifier and as a regressor of graphs."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import assert_all_finite

from ..checks import check_choice, is_integer
from ..inputs import GraphReader, Reader
from ..inputs.graph_batches import check_graphs
from ..models import GINConfig
from .base.classifier import DeepClassifier
from .base.label_checks import check_class_labels
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator
from .base.regressor import DeepRegressor
from .base.scored_labels import SCORINGS, ScoredLabels
from .base.targets import Labels
from .graph_descriptions import graph_documented


@dataclass(eq=False, repr=False)
class GraphIsomorphism(AdaptationParameters):
    """The parameters of a graph isomorphism network, its configuration, and checks of graphs."""

    width: int = 64
    depth: int = 3
    _: KW_ONLY
    dropout: float = 0.2
    pooling: str = "mean"
    node_categories: tuple[int, ...] | str = "auto"
    edge_categories: tuple[int, ...] | str = "auto"
    bias: bool | str = "paper"

    def network_config(
        self,
        n_outputs: int,
        node_categories: tuple[int, ...],
        n_node_features: int,
        edge_categories: tuple[int, ...],
        n_edge_features: int,
    ) -> GINConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        n_outputs : int
            Width of the output.
        node_categories, n_node_features, edge_categories, n_edge_features
            What the nodes and edges have: see :class:`deepreservoir.GINConfig`.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        if self.bias not in (True, False, "paper"):
            raise ValueError(f"bias must be True, False or 'paper'; got {self.bias!r}")
        return GINConfig(
            n_outputs=n_outputs,
            node_categories=node_categories,
            n_node_features=n_node_features,
            edge_categories=edge_categories,
            n_edge_features=n_edge_features,
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
            pooling=self.pooling,
            bias=self.adapter == "full" if self.bias == "paper" else bool(self.bias),
            **self.adaptation(),
        )

    reader_parameters: ClassVar[tuple[str, ...]] = ("node_categories", "edge_categories")

    def new_reader(self) -> Reader:
        for name in ("node_categories", "edge_categories"):
            value = getattr(self, name)
            several = isinstance(value, list | tuple | np.ndarray) and len(value) > 0
            numbers = several and all(is_integer(number) and number >= 1 for number in value)
            if not (isinstance(value, str) and value == "auto") and not numbers:
                raise ValueError(
                    f"{name} must be 'auto' or the number of categories of each column, such as "
                    f"(5, 6, 2); got {value!r}"
                )
        return GraphReader(self.node_categories, self.edge_categories)

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        """Return the list of graphs, and y as an array with one row per graph."""
        graphs = check_graphs(X)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = np.asarray(y)
        if y.ndim == 0 or len(y) != len(graphs):
            raise ValueError(
                f"y must have one row for each of {len(graphs)} graphs; got shape {y.shape}"
            )
        self._check_targets(y)
        return graphs, y

    def _check_targets(self, y: np.ndarray) -> None:
        if y.dtype.kind in "fc":
            assert_all_finite(y, input_name="y")

    def validated_features(self, X: Any, on_device: bool) -> Any:
        return check_graphs(X)

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.sparse = tags.input_tags.two_d_array = False  # X is a list of graphs
        return tags


@register_estimator
@graph_documented
@dataclass(eq=False, repr=False)
class GINClassifier(GraphIsomorphism, DeepClassifier):
    """A classifier of graphs, whose weight matrices are drawn from a seed and frozen.

    A graph isomorphism network (Xu et al., 2019; with features of edges, Hu et al., 2020) in which
    embeddings, low-rank adapters, scales, batch normalisation and the output layer are trained
    (LottaLoRA, arXiv 2604.08749). X is a list of :class:`deepreservoir.Graph`.

    Parameters
    ----------
    {gin}
    {parameters:
    scoring : {"accuracy", "roc_auc"}, default="accuracy"
        Validation score under `early_stopping`: ``"roc_auc"``, the area under the ROC curve, is
        for two classes.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" weights every class inversely to the sum of
        its sample weights.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels.
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
    GINRegressor : The same for numeric targets.
    GCNClassifier : A classifier of the nodes of one graph.

    References
    ----------
    Xu, Hu, Leskovec and Jegelka, How powerful are graph neural networks?, ICLR 2019.
    Hu, Liu, Gomes, Zitnik, Liang, Pande and Leskovec, Strategies for pre-training graph neural
    networks, ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import GINClassifier, Graph
    >>> def ring(n):  # each node and the next one
    ...     return Graph.undirected(np.ones((n, 1)), [np.arange(n), np.roll(np.arange(n), -1)])
    >>> def star(n):  # node 0 and all others
    ...     return Graph.undirected(np.ones((n, 1)), [np.zeros(n - 1, int), np.arange(1, n)])
    >>> X = [shape(n) for n in range(4, 24) for shape in (ring, star)]
    >>> y = ["ring", "star"] * 20
    >>> model = GINClassifier(16, 2, rank=2, max_iter=40, learning_rate_init=0.01, random_state=0)
    >>> model.fit(X[::2] + X[1::2], y[::2] + y[1::2]).score(X, y) > 0.9
    True
    """

    scoring: str = "accuracy"

    def check_params(self) -> None:
        super().check_params()
        check_choice("scoring", self.scoring, SCORINGS)

    def _check_targets(self, y: np.ndarray) -> None:
        check_class_labels(y)

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        return ScoredLabels(self.label_smoothing, self.class_weight, classes, self.scoring)


@register_estimator
@graph_documented
@dataclass(eq=False, repr=False)
class GINRegressor(GraphIsomorphism, DeepRegressor):
    """A regressor of graphs, whose weight matrices are drawn from a seed and frozen.

    A graph isomorphism network (Xu et al., 2019; with features of edges, Hu et al., 2020) in which
    embeddings, low-rank adapters, scales, batch normalisation and the output layer are trained
    (LottaLoRA, arXiv 2604.08749). X is a list of :class:`deepreservoir.Graph`; targets are
    standardised internally.

    Parameters
    ----------
    {gin}
    {parameters:
    loss : {"squared_error", "huber"}, default="squared_error"
        Loss to be minimised, on standardised targets.
    huber_delta : float, default=1.0
        Error above which Huber's loss is linear, in standard deviations of the target.
    }

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray, shape (n_outputs,)
        Mean and standard deviation of the training targets.
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
    GINClassifier : The same for labels.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import GINRegressor, Graph
    >>> def chain(n):
    ...     return Graph.undirected(np.ones((n, 1)), [np.arange(n - 1), np.arange(1, n)])
    >>> X = [chain(n) for n in range(2, 30)]
    >>> y = [graph.n_nodes for graph in X]
    >>> model = GINRegressor(16, 2, rank=2, pooling="sum", dropout=0.0, max_iter=80)
    >>> model.set_params(random_state=0).fit(X, y).predict(X).shape
    (28,)
    """
