"""The minimum sufficient rank: the smallest rank that does as well as training all weights."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_method_params,
    _num_samples,
    column_or_1d,
)
from tqdm.auto import tqdm

from ..checks import check_integer, is_finite_number
from ..estimators.base.node_labels import labels_of_nodes
from ..estimators.base.self_supervised import SelfSupervised
from ..estimators.base.unchanged import unchanged_on_failure
from ..inputs import Nodes
from ..training import interruptions_raised
from ..user_warnings import warn_user
from .best_model import BestModel
from .doubling_search import first_passing
from .intrinsic_dimension import check_deep, subspace_dimension
from .paired_cv import Trial, Trials, is_random_state, seeded, with_times
from .pca_dimension import components_for
from .rank_limit import candidate_ranks, limit_of_folds
from .rank_parameter import RankParameter
from .validation_loss import check_open, folds, interval, validation_loss

# Attributes that depend on `refit` and `subspace`, or on the names of the columns.
_NOT_IN_EVERY_FIT = ("best_estimator_", "feature_names_in_", "subspace_dimension_")


def _own_score(model: Any, X: Any, y: Any) -> float:
    """Return the score of a model that is trained without y."""
    return float(model.score(X))


def _check_rows(X: Any) -> None:
    """Raise a ValueError for an X without rows that folds could take."""
    if not any(hasattr(X, name) for name in ("__len__", "shape", "__array__")):
        raise ValueError(
            "X must have rows that can be divided into folds, as an array or a list has; got a "
            f"{type(X).__name__}. Pass list(X) instead of an iterator; instead of a file, pass the "
            "list of its documents, or the array of its codes"
        )


class RankSearch(BestModel):
    """Find the smallest rank that does as well as training all weights, or nearly.

    r*(eps) is the smallest rank r with ``L(r) <= L_full + eps`` under one protocol (LottaLoRA,
    arXiv 2604.08749, section 6). L is a loss on held-out rows, and L_full that of the fully
    trained twin: the same estimator with ``adapter="full"``. Every rank and the twin are fitted on
    the same folds with the same seeds, so their losses are compared in pairs; a rank is good
    enough if the mean difference is at most `eps`.

    Ranks 1, 2, 4, 8, ... are tried until one is good enough, then the gap below it is halved
    repeatedly, so that only a few ranks are fitted. This assumes that a larger rank is not worse;
    if differences are within the noise, the rank found is one that is good enough while the
    next lower candidate is not.

    Parameters
    ----------
    estimator : estimator
        A DeepReservoirClassifier, a DeepReservoirRegressor, or an estimator that contains one,
        such as a Pipeline; or any other estimator with parameters `rank` and `adapter`.
    eps : float, default=0.01
        Accepted increase of the loss over that of the twin, in units of the loss; at least 0.
    ranks : sequence of int, default=None
        Candidates; the search doubles the index into the sorted candidates. None for all ranks
        from 1 to the narrowest width of a layer with a rank. Within an estimator that may change
        X or y in another way than a Pipeline, such as RFE, one epoch on each fold shows the widths,
        for given ranks too.
    cv : int, splitter or iterable, default=3
        Folds. An integer is the number of folds of shuffled rows, stratified by class for a
        classifier; for rows in time order, pass a splitter such as TimeSeriesSplit. One stream of
        codes, for a CausalLanguageModel, is cut into as many consecutive blocks.
    n_seeds : int, default=3
        Number of seeds with which every fold is fitted: of scaffold, initial values and order of
        rows.
    scoring : str or callable, default=None
        The loss is minus this score. None for log loss, or mean squared error for a regressor.
    threshold : float, default=None
        A rank is good enough if its mean score is at least this, whatever that of the twin is, and
        `eps` is not used; without `scoring`, if its mean loss is at most this.
    confidence : float, default=0.95
        Confidence level of the intervals.
    n_jobs : int, default=None
        Number of processes over folds and seeds, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Source of the seeds and of the shuffling. The seeds replace every `random_state` in the
        estimator during the search.
    refit : bool, default=True
        Whether to fit the estimator with the rank found on all rows.
    subspace : bool, default=False
        Whether to find the random-subspace dimension too, with
        :func:`deepreservoir.subspace_dimension`, which takes about twenty more trainings.
    verbose : bool, default=False
        Whether to show a progress bar.

    Attributes
    ----------
    rank_ : int
        The smallest rank that is good enough; if none is, the rank with the smallest loss.
    reached_ : bool
        Whether `rank_` is good enough.
    curve_ : dict of str to ndarray, shape (n_tried,)
        The ranks tried, in increasing order: ``rank``; ``loss`` and ``spread``, mean and standard
        deviation over folds and seeds; ``difference`` from the twin's loss, with ``low`` and
        ``high``, its confidence interval; ``n_trained``, the number of trained parameters.
    baseline_ : dict of str to float
        ``loss``, ``spread`` and ``n_trained`` of the twin.
    losses_ : dict of int or "full" to ndarray, shape (n_folds, n_seeds)
        Every single loss, by rank.
    n_trained_ : int
        Number of parameters trained at `rank_`; None for an estimator without
        `n_trained_params_`.
    pca_components_ : int or None
        Number of principal components that explain 95 % of the variance of X, as it reaches the
        estimator with the rank; None for sparse X of more than 4,096 features, for series, and
        within estimators that may change X or y in another way than a Pipeline, such as RFE.
    subspace_dimension_ : int or None
        With ``subspace=True``; None if no subspace was good enough.
    best_estimator_ : estimator
        Fitted on all rows at `rank_`, with ``refit=True``. A `random_state` that is None in
        `estimator` is set to the first seed.
    classes_ : ndarray, shape (n_classes,)
        Classes of `best_estimator_`, if it is a classifier.
    n_features_in_ : int
        Number of features of `best_estimator_`.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Feature names of `best_estimator_`, if X has string column names.

    Raises
    ------
    ValueError
        From `fit`, before any training, if a parameter is out of range, the folds are impossible,
        the estimator has no rank, or it rejects the data.

    Warns
    -----
    UserWarning
        From `fit`, if no rank tried is good enough.

    See Also
    --------
    deepreservoir.compare : Compares ranks with controls, on one held-out set.
    deepreservoir.subspace_dimension : The intrinsic dimension of the task for all weights.

    Notes
    -----
    The interval is Student's, over folds and seeds as if they were independent. Since folds share
    training rows and seeds share folds, it is narrower than an interval for new rows would be
    (Nadeau and Bengio, Inference for the generalization error, Machine Learning 52, 2003).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import DeepReservoirClassifier, RankSearch
    >>> X, y = load_digits(n_class=4, return_X_y=True)
    >>> model = DeepReservoirClassifier((32,), max_iter=10, learning_rate_init=0.02)
    >>> search = RankSearch(model, eps=0.05, cv=2, n_seeds=2, random_state=0).fit(X / 16, y)
    >>> bool(search.reached_), search.rank_ in search.curve_["rank"]
    (True, True)
    >>> search.n_trained_ < search.baseline_["n_trained"]
    True
    """

    def __init__(
        self,
        estimator: Any,
        eps: float = 0.01,
        *,
        ranks: Any = None,
        cv: Any = 3,
        n_seeds: int = 3,
        scoring: Any = None,
        threshold: float | None = None,
        confidence: float = 0.95,
        n_jobs: int | None = None,
        random_state: Any = None,
        refit: bool = True,
        subspace: bool = False,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.eps = eps
        self.ranks = ranks
        self.cv = cv
        self.n_seeds = n_seeds
        self.scoring = scoring
        self.threshold = threshold
        self.confidence = confidence
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.refit = refit
        self.subspace = subspace
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, groups: Any = None, **fit_params: Any) -> Self:
        """Search for the rank, and fit the estimator with it on all rows.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
            Or a sequence of samples in another form that the estimator reads, such as a list of
            texts; an iterator or the path of a file has no rows for the folds.
        y : array-like, shape (n_samples,) or, for numeric targets, (n_samples, n_outputs)
            Not needed by estimators that are trained without it, whose loss is minus their score.
        groups : array-like, shape (n_samples,), optional
            The group of each row, for a splitter that keeps groups together, such as GroupKFold.
            With metadata routing, as in scikit-learn's searches, it is the splitter that asks for
            them.
        **fit_params : dict
            Passed to the estimator's `fit`, such as `sample_weight`, or in a pipeline
            `step__sample_weight`. Of an array with one entry per row, a fit gets those of its rows.
            As in scikit-learn's searches, losses are not weighted. `times` are those of all
            series, held-out ones too.

        Returns
        -------
        self
        """
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", **self._to_route(groups, fit_params))
            fit_params = routed.estimator.fit
            groups = routed.splitter.split.get("groups", groups)
        with unchanged_on_failure(self):
            for name in _NOT_IN_EVERY_FIT:
                if hasattr(self, name):
                    delattr(self, name)
            self._fit(X, y, groups, fit_params)
        return self

    def _fit(self, X: Any, y: Any, groups: Any, fit_params: dict[str, Any]) -> None:
        parameter = RankParameter.of(self.estimator)
        self._check_params()
        _check_rows(X)
        scoring, in_order = self.scoring, False
        holder = parameter.unfitted(self.estimator)
        if isinstance(holder, SelfSupervised):  # trained without y
            in_order = holder._is_one_sequence(X)
            scoring = _own_score if scoring is None else scoring
            y = np.zeros(_num_samples(X)) if y is None else y
        if y is None:
            raise ValueError("RankSearch requires y to be passed, but the target y is None")
        X, fit_params = with_times(self.estimator, X, fit_params)
        X, y, groups = indexable(X, y, groups)
        if isinstance(X, Nodes):  # those without a label are neither trained on nor scored
            y, labelled = labels_of_nodes(y)
            known = np.flatnonzero(labelled)
            fit_params = _check_method_params(X, fit_params, known)
            X = X[known]
            groups = None if groups is None else _safe_indexing(groups, known)
        if is_classifier(self.estimator):
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            classes = np.unique(y)
            if len(classes) == 1:
                raise ValueError(
                    "a search over ranks needs samples of at least 2 classes, since every rank "
                    f"predicts a single class; got 1 class: {classes.tolist()[0]!r}"
                )
        if self.subspace:
            check_deep(holder)
            if fit_params:
                raise ValueError(
                    "the subspace dimension is found without parameters of fit; set subspace=False "
                    f"or leave out {', '.join(fit_params)}"
                )
        rows = parameter.rows(self.estimator, X, y)
        loss = validation_loss(self.estimator, scoring, X, y)
        random = check_random_state(self.random_state)
        seeds = [int(seed) for seed in random.randint(2**31 - 1, size=self.n_seeds)]
        shuffling = int(random.randint(2**31 - 1))
        classifier = is_classifier(self.estimator)
        splits = folds(self.cv, X, y, classifier, shuffling, groups, in_order)
        train_rows = [train for train, _ in splits]
        limit = limit_of_folds(
            parameter, self.estimator, X, y, rows, train_rows, fit_params, self.refit
        )
        ranks = candidate_ranks(self.ranks, limit)

        with tqdm(unit="fit", disable=not self.verbose) as bar:
            trials = Trials(parameter, X, y, loss, splits, seeds, self.n_jobs, bar, fit_params)
            self._search(trials, ranks)
        trials.warn_of_convergence()
        self.pca_components_ = None if rows is None else components_for(rows, 0.95)
        if self.subspace:
            result = subspace_dimension(self.estimator, X, y, random_state=seeds[0])
            self.subspace_dimension_ = result.dimension
        if self.refit:
            best = parameter.changed(self.estimator, rank=self.rank_)
            self.best_estimator_ = seeded(best, seeds[0], only_where_none=True)
            with interruptions_raised():
                self.best_estimator_.fit(X, y, **_check_method_params(X, fit_params))
            if hasattr(self.best_estimator_, "feature_names_in_"):
                self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how parameters of `fit` are routed: to estimator and splitter, as they request."""
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self)
        router.add(estimator=self.estimator, method_mapping=to_fit)
        router.add(splitter=self.cv, method_mapping=to_split)
        # As in scikit-learn's searches, groups need no request of their own; one may be set.
        if self._get_metadata_request().fit.requests["groups"] is not None:
            router.add_self_request(self)
        return router

    def _to_route(self, groups: Any, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of `fit` that are routed: `groups` if anything requests them."""
        given = {} if groups is None else {"groups": groups}
        asked = self.get_metadata_routing().consumes("fit", given)
        return fit_params | {name: given[name] for name in asked}

    def _check_params(self) -> None:
        if not is_finite_number(self.eps) or self.eps < 0:
            raise ValueError(f"eps must be a finite number of at least 0; got {self.eps!r}")
        if self.threshold is not None and not is_finite_number(self.threshold):
            raise ValueError(f"threshold must be a finite number, or None; got {self.threshold!r}")
        check_open("confidence", self.confidence, 1.0)
        check_integer("n_seeds", self.n_seeds, 1)
        params = self.estimator.get_params(deep=True)
        if self.n_seeds > 1 and not any(map(is_random_state, params)):
            raise ValueError(
                f"n_seeds must be 1 for an estimator without random_state, whose fits are all "
                f"the same; got {self.n_seeds}"
            )

    def _search(self, trials: Trials, ranks: tuple[int, ...]) -> None:
        parameter = trials.parameter
        full = trials.of(parameter.twin(self.estimator), "the fully trained twin")
        tried: dict[int, Trial] = {}

        def passes(index: int) -> bool:
            rank = ranks[index]
            tried[rank] = trials.of(parameter.changed(self.estimator, rank=rank), f"rank {rank}")
            return self._is_enough(tried[rank], full)

        first = first_passing(len(ranks), passes)
        self.reached_ = first is not None
        self.losses_ = {"full": full.losses} | {r: tried[r].losses for r in sorted(tried)}
        self.baseline_ = full.summary()
        self.curve_ = self._curve(tried, full)
        best = ranks[first] if first is not None else self._lowest(tried)
        self.rank_, self.n_trained_ = best, tried[best].n_trained

    def _is_enough(self, adapter: Trial, full: Trial) -> bool:
        if self.threshold is None:
            return bool((adapter.losses - full.losses).mean() <= self.eps)
        highest = self.threshold if self.scoring is None else -self.threshold
        return bool(adapter.losses.mean() <= highest)

    def _curve(self, tried: dict[int, Trial], full: Trial) -> dict[str, np.ndarray]:
        rows = []
        for rank in sorted(tried):
            difference = interval(tried[rank].losses - full.losses, self.confidence)
            row = {"rank": rank, **tried[rank].summary(), "difference": difference.mean}
            rows.append(row | {"low": difference.low, "high": difference.high})
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def _lowest(self, tried: dict[int, Trial]) -> int:
        """Return the rank with the smallest loss, and warn that it is not good enough."""
        best = min(sorted(tried), key=lambda rank: float(tried[rank].losses.mean()))
        at = int(np.flatnonzero(self.curve_["rank"] == best)[0])
        loss, difference = float(self.curve_["loss"][at]), float(self.curve_["difference"][at])
        if self.scoring is None:
            result = f"has a loss of {loss:.4g}, {difference:.4g} over the fully trained twin's"
        else:
            result = f"has a score of {-loss:.4g}, {difference:.4g} below the fully trained twin's"
        goal = f"eps={self.eps}" if self.threshold is None else f"threshold={self.threshold}"
        warn_user(
            f"none of the ranks {', '.join(map(str, sorted(tried)))} reaches {goal}: the best, "
            f"{best}, {result}. Try larger ranks or wider layers, train for longer, or accept "
            + ("a larger eps" if self.threshold is None else "another threshold")
        )
        return best
