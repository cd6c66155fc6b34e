"""The dense network of the same stored bytes: as wide as fits, and not one unit wider."""

from dataclasses import replace

import numpy as np
import pytest
from experiment_tools import QUICK, classes, diabetes
from hypothesis import given, settings
from hypothesis import strategies as st

from deepreservoir.datasets import Dataset
from deepreservoir.experiments import compare
from deepreservoir.experiments.comparisons.arms import equal_bytes, stored_bytes
from deepreservoir.experiments.comparisons.task import Task
from deepreservoir.models import MLPConfig
from deepreservoir.network import Network


def blank(n_features: int, n_classes: int) -> Dataset:
    """Return rows of zeros: only their shape matters here."""
    y = np.arange(max(n_classes, 2) * 2) % n_classes
    task = "regression" if n_classes == 1 else "classification"
    X = np.zeros((len(y), n_features), np.float32)
    return Dataset("blank", X, y, X, y, task)


def dense_bytes(n_features: int, width: int, n_outputs: int) -> int:
    config = MLPConfig(n_features, n_outputs, (width,), adapter="full", bias=True)
    return 4 * Network(config, 0).n_trained


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_width_fits_and_one_unit_more_does_not(draw):
    n_features = draw.draw(st.integers(1, 40), "features")
    n_classes = draw.draw(st.sampled_from([1, 2, 3, 10]), "classes")
    hidden = tuple(draw.draw(st.lists(st.integers(1, 30), min_size=1, max_size=3), "widths"))
    rank = draw.draw(st.integers(1, min(n_features, *hidden)), "rank")
    task = Task(blank(n_features, n_classes), replace(QUICK, hidden_layer_sizes=hidden))
    stored = stored_bytes(task, rank)

    config = MLPConfig(n_features, task.n_outputs, hidden, rank=rank)
    assert stored == 4 * Network(config, 0).n_trained + 8

    dense = task.config(adapter="full").resized(stored // 4)
    width = 0 if dense is None else dense.hidden_layer_sizes[0]
    assert dense_bytes(n_features, width + 1, task.n_outputs) > stored
    if width:
        assert dense_bytes(n_features, width, task.n_outputs) <= stored


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("rank", [1, 2, pytest.param(5, marks=pytest.mark.slow)])
def test_the_budget_holds_whatever_the_layers_have(rank, residual, bias, layer_norm):
    options = {"residual": residual, "bias": bias, "layer_norm": layer_norm}
    protocol = replace(QUICK, hidden_layer_sizes=(9, 9)).changed(**options)
    task = Task(classes(), protocol)
    stored = stored_bytes(task, rank)
    record = equal_bytes(task, rank, 0, stored)
    assert record.stored_bytes <= stored
    wider = task.config(adapter="full").resized(record.trained + 1 + task.data.n_features + 3 + 3)
    assert 4 * wider.n_params > record.stored_bytes


@pytest.mark.parametrize(
    "make", [classes, pytest.param(lambda: classes(2), marks=pytest.mark.slow), diabetes]
)
def test_the_record_holds_no_more_than_the_adapter_of_its_rank(make):
    comparison = compare(make(), (1, 2, 5), 1, ("adapter", "equal_bytes"), protocol=QUICK)
    stored = {(record.arm, record.rank): record.stored_bytes for record in comparison.records}
    for rank in (1, 2, 5):
        assert 0 < stored["equal_bytes", rank] <= stored["adapter", rank]
    data = make()
    unit = 4 * (data.n_features + 1 + Task(data, QUICK).n_outputs)
    assert stored["adapter", 1] - stored["equal_bytes", 1] < unit


@pytest.mark.parametrize(("spare", "runs"), [(0, True), (-1, False)])
def test_the_last_byte_counts(spare, runs):
    data = classes()
    one_unit = 4 * ((data.n_features + 1) + 3 * (1 + 1))  # one hidden unit, three classes
    record = equal_bytes(Task(data, QUICK), 1, 0, one_unit + spare)
    assert (record is not None) is runs
    assert not runs or record.stored_bytes == one_unit


def test_notes_say_which_rank_was_left_out_once(monkeypatch):
    monkeypatch.setattr(MLPConfig, "resized", lambda config, n_params: None)
    comparison = compare(classes(), (1, 2), 3, ("equal_bytes", "linear"), protocol=QUICK)
    assert [record.arm for record in comparison.records] == ["linear"]
    assert len(comparison.notes) == 2
    for rank, note in zip((1, 2), comparison.notes, strict=True):
        assert f"rank {rank}" in note
