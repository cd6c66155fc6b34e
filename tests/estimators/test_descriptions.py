"""What the docstrings of the estimators list: all parameters, and attributes that exist."""

from __future__ import annotations

import re
import warnings

import pytest
from parts_tools import TRAININGS

import deepreservoir
from deepreservoir import DeepReservoirClassifier, GCNClassifier, GINClassifier
from deepreservoir.estimators.base.descriptions import without

pytestmark = pytest.mark.host(reason="docstrings are the same on every device")


def listed(cls: type, section: str) -> list[str]:
    """Return the names in a section of a docstring."""
    text = (cls.__doc__ or "").split(f"    {section}\n    ---", 1)[1]
    own = re.split(r"\n\n    \w[\w ]*\n    ---", text, maxsplit=1)[0]
    lines = re.findall(r"^    ((?:\w+, )*\w+) : ", own, re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
def test_the_attributes_are_there_after_fit(training):
    model, arguments = training()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*arguments)
    names = listed(type(model), "Attributes")
    there = {name for name in names if hasattr(model, name)}
    assert set(names) - there <= {"feature_names_in_"}  # X has no names
    assert len(set(names)) == len(names) > 10
    kept = {name for name in vars(model) if re.fullmatch(r"[a-z]\w*_", name)}
    assert kept <= set(names)


# Classes to derive an estimator from: their parameters are those of the derived class.
BASES = ("DeepClassifier", "DeepRegressor", "SeedGated")

ESTIMATORS = [
    cls
    for name in deepreservoir.__all__
    if hasattr(cls := getattr(deepreservoir, name), "get_params") and name not in BASES
]


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_every_parameter_is_described_once(cls):
    assert sorted(listed(cls, "Parameters")) == sorted(cls._get_param_names())


def test_a_name_without_a_description_is_refused():
    text = "a : int\n        One.\n    b_, c_ : float\n        Two."
    assert without(text, "b_, c_") == "a : int\n        One."
    with pytest.raises(ValueError, match=r"no description of c_, only of \['a', 'b_, c_'\]"):
        without(text, "c_")


def test_what_a_large_rank_does_is_described():
    assert "allowed, with a warning" in GCNClassifier.__doc__
    assert "allowed, with a warning" not in GINClassifier.__doc__


def test_what_decays_and_what_a_single_batch_does_are_described_for_each_architecture():
    perceptron, graphs = DeepReservoirClassifier.__doc__, GINClassifier.__doc__
    assert "Decay of matrices; betas" in perceptron
    assert "Decay of trained matrices; adapters, betas" in graphs
    assert "then neither the order of rows" in perceptron
    assert "then neither the order of rows" not in graphs
