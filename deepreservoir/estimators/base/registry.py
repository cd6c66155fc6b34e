"""Estimators by their names in files and sweeps."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from ...checks import is_same_class

#: Registered estimators by the name of their class.
ESTIMATORS: dict[str, type] = {}

Estimator = TypeVar("Estimator", bound=type)


def register_estimator(cls: Estimator) -> Estimator:
    """Register a deep estimator under the name of its class.

    Files refer to their estimator by this name, and loading one never imports anything: the module
    that defines the estimator has to be imported first. Sweeps can use the name as well.

    Parameters
    ----------
    cls : type
        A subclass of :class:`DeepClassifier` or :class:`DeepRegressor`.

    Returns
    -------
    type
        `cls`, so that the function can be used as a decorator.

    Raises
    ------
    ValueError
        If another class is registered under the name.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from deepreservoir import DeepReservoirClassifier, register_estimator
    >>> @register_estimator
    ... @dataclass(eq=False, repr=False)
    ... class NarrowClassifier(DeepReservoirClassifier):
    ...     hidden_layer_sizes: tuple[int, ...] = (16,)
    >>> ESTIMATORS.pop("NarrowClassifier") is NarrowClassifier  # and no longer registered
    True
    """
    known = ESTIMATORS.get(cls.__name__)
    # A module that is run again, as in a notebook, defines its class again.
    if known is not None and not is_same_class(known, cls):
        raise ValueError(
            f"the estimator {cls.__name__!r} is already registered, by "
            f"{known.__module__}.{known.__qualname__}; give the new one another name"
        )
    ESTIMATORS[cls.__name__] = cls
    return cls


def estimator_named(name: str) -> Any:
    """Return an estimator class by the name that a user gives.

    Parameters
    ----------
    name : str
        A registered name, or ``"package.module:Class"`` of an installed package, which is then
        imported.

    Returns
    -------
    type
        The class.

    Raises
    ------
    ValueError
        If there is no estimator of that name.

    Examples
    --------
    >>> from deepreservoir import estimators
    >>> estimator_named("DeepReservoirClassifier").__name__
    'DeepReservoirClassifier'
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        if name not in ESTIMATORS:
            raise ValueError(
                f"estimator must be one of {', '.join(sorted(ESTIMATORS))}, or "
                f"'package.module:Class' of an installed package; got {name!r}"
            )
        return ESTIMATORS[name]
    try:
        cls = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"estimator={name!r} cannot be imported: {error}") from None
    if not isinstance(cls, type) or not hasattr(cls, "network_config"):
        raise ValueError(
            f"estimator={name!r} must be a class derived from DeepClassifier or DeepRegressor; "
            f"got {cls!r:.80}"
        )
    return cls
