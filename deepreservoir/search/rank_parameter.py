"""The rank parameter of an estimator: its position, and what reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class RankParameter:
    """The rank parameter of an estimator, or of one that it contains, such as a step.

    Attributes
    ----------
    holder : str
        Name, as in ``get_params``, of the estimator that has the rank; empty for the outer one.
    """

    holder: str

    @classmethod
    def of(cls, estimator: Any) -> RankParameter:
        """Find the only rank parameter of an estimator.

        Raises
        ------
        ValueError
            If there is none, or several, or no `adapter` that belongs to it.
        """
        if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
            raise ValueError(
                f"estimator must be an estimator, such as DeepReservoirClassifier(); "
                f"got {estimator!r}"
            )
        kind, names = type(estimator).__name__, estimator.get_params(deep=True)
        ranks = [name for name in names if name == "rank" or name.endswith("__rank")]
        if not ranks:
            raise ValueError(
                "estimator must have a parameter 'rank', as DeepReservoirClassifier has, or "
                f"contain an estimator that has one; {kind} has none"
            )
        if len(ranks) > 1:
            raise ValueError(
                f"estimator must have only one rank, which is varied; {kind} has "
                f"{len(ranks)}: {', '.join(sorted(ranks))}"
            )
        parameter = cls(ranks[0].removesuffix("rank").removesuffix("__"))
        if parameter.name("adapter") not in names:
            raise ValueError(
                f"{ranks[0]} must come with a parameter 'adapter', whose value 'full' trains "
                f"all weights; {kind} has no {parameter.name('adapter')}"
            )
        if names[parameter.name("adapter")] == "full":
            raise ValueError(
                f"{parameter.name('adapter')} must be one that has a rank, such as 'lora'; got "
                "'full', with which the ranks are compared"
            )
        return parameter

    def name(self, parameter: str) -> str:
        """Return the full name of a parameter of the holder."""
        return f"{self.holder}__{parameter}" if self.holder else parameter

    def changed(self, estimator: Any, **values: Any) -> Any:
        """Return a clone of the estimator with other values of the holder's parameters."""
        return clone(estimator).set_params(**{self.name(k): v for k, v in values.items()})

    def twin(self, estimator: Any) -> Any:
        """Return a clone that trains all weights, and so has no scaffold to resample."""
        kind = type(self.unfitted(estimator))
        values = dict(getattr(kind, "fully_trained_parameters", {"adapter": "full"}))
        if self.name("resample") in estimator.get_params(deep=True):
            values["resample"] = None
        return self.changed(estimator, **values)

    def unfitted(self, estimator: Any) -> Any:
        """Return the holder."""
        return estimator.get_params(deep=True)[self.holder] if self.holder else estimator

    def fitted(self, model: Any) -> Any:
        """Return the fitted holder of a fitted model; None if the model does not say which it is.

        Meta-estimators that fit one clone store it under the name with an underscore.
        """
        for name in self.holder.split("__") if self.holder else ():
            if isinstance(model, Pipeline):
                model = model.named_steps[name]
            else:
                model = getattr(model, f"{name}_", None)
        return model

    def replaced(self, estimator: Any, holder: Any) -> Any:
        """Return a clone of the estimator with another holder."""
        return clone(estimator).set_params(**{self.holder: holder}) if self.holder else holder

    def rows(self, estimator: Any, X: Any, y: Any) -> Any:
        """Return X as it reaches the holder, after the preceding steps of pipelines.

        None if an estimator around the holder may fit it on other columns or other targets, also
        by fitting a pipeline on parts of the rows or with other parameters.
        """
        whole = True  # whether all rows reach the estimator, with its own parameters
        for name in self.holder.split("__") if self.holder else ():
            if isinstance(estimator, Pipeline):
                before = estimator[: list(estimator.named_steps).index(name)]
                if len(before) and not whole:
                    return None
                X = clone(before).fit_transform(X, y) if len(before) else X
            elif not _passes_on(estimator, name):
                return None
            else:
                whole = False
            estimator = estimator.get_params(deep=True)[name]
        return X


# Estimators that fit those they contain on the columns and the kind of targets that they are given.
_PASS_ON = (
    AdaBoostClassifier,
    AdaBoostRegressor,
    CalibratedClassifierCV,
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    StackingClassifier,
    StackingRegressor,
    TransformedTargetRegressor,
    TunedThresholdClassifierCV,
    VotingClassifier,
    VotingRegressor,
)


def _passes_on(estimator: Any, name: str) -> bool:
    """Return whether an estimator fits its parameter `name` on the columns that it is given."""
    if isinstance(estimator, BaggingClassifier | BaggingRegressor):
        return isinstance(estimator.max_features, float) and estimator.max_features == 1.0
    return isinstance(estimator, _PASS_ON) and name != "final_estimator"
