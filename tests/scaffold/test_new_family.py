"""A family that is defined here, in no file of the package, works everywhere."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from target import assert_allclose, assert_array_equal, device, host, put

import deepreservoir
from deepreservoir import DeepReservoirClassifier
from deepreservoir.scaffold import (
    FAMILIES,
    Construction,
    Family,
    ScaffoldSpec,
    get_family,
    make_scaffold,
    resolve_storage,
)
from deepreservoir.scaffold.families import LookUp, fan_in
from deepreservoir.scaffold.storage import Scaffold


class CirculantScaffold(Scaffold):
    """Each row is the one above it, moved on by one: d_in + d_out weights in all."""

    storage = "structured"

    @property
    def nbytes(self):
        return 0

    def tile(self, rows, cols):
        d_out, d_in = self.shape
        line = self.spec.table[self.spec.stream.rows(0, 1, d_out + d_in)[0]]
        return line[d_out - np.array(rows, int)[:, None] + np.array(cols, int)]


@dataclass(frozen=True)
class Circulant(Construction):
    storages = {"structured": CirculantScaffold}  # noqa: RUF012

    def tile(self, spec, rows, cols):
        return CirculantScaffold(spec).tile(rows, cols)


@dataclass(frozen=True)
class UnitLength(LookUp):
    """Weights of length one in all, as one vector: a scale that files have to keep."""

    has_saved_factor = True
    needs_linear_algebra = True

    def factor(self, spec):
        return spec.gain / np.linalg.norm(spec.unit_rows(0, spec.shape[0]).astype(float))


@pytest.fixture
def circulant(monkeypatch):
    family = Family("circulant", "constant along diagonals", fan_in(1.0), Circulant())
    monkeypatch.setitem(FAMILIES, "circulant", family)
    return family


@pytest.fixture
def unit_length(monkeypatch):
    family = Family("unit_length", "length one", fan_in(1.0), UnitLength(), "binary", 1)
    monkeypatch.setitem(FAMILIES, "unit_length", family)
    return family


def make(family, shape, storage="auto"):
    return make_scaffold(ScaffoldSpec(family, shape, 3, "p"), storage, device=device)


def fitted(family, **params):
    X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    model = DeepReservoirClassifier(
        (8,), rank=2, scaffold=family, max_iter=2, random_state=0, **params
    )
    return model.fit(X, X[:, 0] > 0), X


@pytest.mark.parametrize("shape", [(9, 7), (20, 33)])
def test_a_structured_family_has_all_products_and_rows_from_its_tiles(circulant, shape):
    scaffold = make("circulant", shape)
    weights = scaffold.dense()
    assert scaffold.storage == "structured"
    assert_array_equal(weights[1:, 1:], weights[:-1, :-1])
    assert_array_equal(scaffold.spec.rows(2, 5), weights[2:5])
    assert_array_equal(scaffold.rows_at(np.array([[4, 1], [4, 8]])), weights[[[4, 1], [4, 8]]])
    x = np.random.default_rng(0).standard_normal((2, 3, shape[1])).astype(np.float32)
    assert_allclose(scaffold.matmul(put(x)), x @ weights.T, rtol=1e-5, atol=1e-5)
    g = np.random.default_rng(0).standard_normal((2, 3, shape[0])).astype(np.float32)
    assert_allclose(scaffold.rmatmul(put(g)), g @ weights, rtol=1e-5, atol=1e-5)


def test_a_family_says_which_storages_hold_it(circulant, unit_length):
    assert resolve_storage(circulant, "auto") == "structured"
    with pytest.raises(ValueError, match=r"use storage='auto' or 'structured'$"):
        resolve_storage(circulant, "packed")
    assert resolve_storage(unit_length, "auto") == "dense"
    digests = {
        make("unit_length", (9, 7), kept).digest() for kept in unit_length.construction.storages
    }
    assert len(digests) == 1


@pytest.mark.parametrize("adapter", ["lora", "dora", "full"])
def test_a_network_trains_on_it(circulant, adapter):
    model, X = fitted("circulant", adapter=adapter)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_factor_that_is_searched_for_is_kept_in_files(unit_length, tmp_path, monkeypatch):
    model, X = fitted("unit_length")
    expected = host(model.predict_proba(X))
    deepreservoir.save(model, tmp_path / "model.lotta")
    # Another machine finds another last digit.
    monkeypatch.setattr(UnitLength, "factor", lambda self, spec: 0.5)
    loaded = deepreservoir.load(tmp_path / "model.lotta")
    assert_allclose(loaded.predict_proba(X), expected, rtol=1e-6)


def test_only_families_that_save_their_factor_accept_a_known_one(unit_length):
    spec = ScaffoldSpec("unit_length", (3, 4), 0, "p", known_factor=0.25)
    assert abs(spec.rows(0, 3)).max() == 0.25
    message = "is only for spectral_radius, unit_length; got 0.25 for normal"
    with pytest.raises(ValueError, match=message):
        ScaffoldSpec("normal", (3, 4), 0, "p", known_factor=0.25)


def test_it_is_gone_when_its_test_is_over():
    for name in ("circulant", "unit_length"):
        with pytest.raises(ValueError, match="scaffold must be one of"):
            get_family(name)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_specification_that_was_used_and_pickled_is_equal_and_draws_the_same(name):
    spec = ScaffoldSpec(name, (5, 8), 1, "p")
    rows = spec.rows(1, 4)
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert hash(again) == hash(spec)
    assert again.construction == spec.construction
    assert_array_equal(again.rows(1, 4), rows)
    assert_array_equal(spec.rows(1, 4, np.empty((3, 8), np.float32)), rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_and_tiles_of_a_specification_are_those_of_its_scaffold(name):
    scaffold = make(name, (5, 8))
    weights = scaffold.dense()
    assert_array_equal(scaffold.spec.rows(1, 4), weights[1:4])
    assert_array_equal(scaffold.spec.tile(range(2, 5), range(3, 7)), weights[2:5, 3:7])
