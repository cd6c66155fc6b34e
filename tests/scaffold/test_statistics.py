"""Statistics of the weights: the right distribution, and no dependence where none may be.

Seeds are fixed, so each test either always passes or always fails. Bounds follow from the
number of draws: four standard errors for a moment, p = 1e-4 for a test statistic.
"""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from target import device

from deepreservoir.scaffold import FAMILIES, ScaffoldSpec, Stream, make_scaffold, tables

SHAPE = (400, 640)
N = SHAPE[0] * SHAPE[1]
FAN_IN = SHAPE[1] ** -0.5
XAVIER = (2 / sum(SHAPE)) ** 0.5
P = 1e-4
IID = [name for name, family in FAMILIES.items() if family.construction.iid and family.random]

# Closed forms on the families' own scale (paper, table 13).
CONTINUOUS = {
    "normal": stats.norm(scale=FAN_IN),
    "normal_16bit": stats.norm(scale=FAN_IN),
    "truncated_normal": stats.truncnorm(-2, 2, scale=FAN_IN),
    "uniform": stats.uniform(-0.1, 0.2),
    "kaiming_normal": stats.norm(scale=2**0.5 * FAN_IN),
    "kaiming_uniform": stats.uniform(-FAN_IN, 2 * FAN_IN),
    "xavier_normal": stats.norm(scale=XAVIER),
    "xavier_uniform": stats.uniform(-(3**0.5) * XAVIER, 2 * 3**0.5 * XAVIER),
    "laplace": stats.laplace(scale=0.1),
    "student_t": stats.t(3, scale=FAN_IN),
    "beta": stats.beta(2, 2, -0.1, 0.2),
    "exponential": stats.expon(-0.1, 0.1),
}
QUANTISED = {"normal_8bit": 8, "normal_4bit": 4, "normal_2bit": 2, "binary": 1}
SPARSE = ("sparse_normal", "erdos_renyi")


def draw(family, scale="family", seed=0, path="layers.0", shape=SHAPE):
    weights = make_scaffold(ScaffoldSpec(family, shape, seed, path, scale), device=device).dense()
    return weights.astype(np.float64)


def kolmogorov_smirnov(sample, cdf):
    # The table has 65,536 steps, which move the statistic by 2**-17: nothing at this size.
    return stats.kstest(sample.ravel(), cdf).pvalue


def uncorrelated(a, b):
    """Whether a correlation is within four standard errors of zero."""
    return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) <= 4 / a.size**0.5


def test_each_family_is_compared_with_a_distribution():
    others = {"cauchy", "gaussian_mixture", *SPARSE, *QUANTISED}
    assert set(CONTINUOUS) | others == set(IID)


@pytest.mark.parametrize("family", IID)
def test_mean_and_variance_are_zero_and_one_over_the_fan_in(family):
    weights = draw(family, scale=1.0) / FAN_IN
    table = tables.lane_table(FAMILIES[family].table).astype(np.float64)
    assert abs(weights.mean()) <= 4 / N**0.5
    # The variance of a squared weight is its fourth moment less one.
    spread = max(np.mean(table**4) - 1, 0) ** 0.5
    assert abs(np.mean(weights**2) - 1) <= 4 * spread / N**0.5 + 1e-6


@pytest.mark.parametrize("family", CONTINUOUS)
def test_weights_follow_the_closed_form(family):
    assert kolmogorov_smirnov(draw(family), CONTINUOUS[family].cdf) > P


def test_gaussian_mixture_follows_its_closed_form():
    def cdf(x):
        return 0.9 * stats.norm.cdf(x, scale=0.05) + 0.1 * stats.norm.cdf(x, scale=0.5)

    assert kolmogorov_smirnov(draw("gaussian_mixture"), cdf) > P


def test_cauchy_is_clipped_at_ten_scales_and_follows_its_closed_form_within():
    weights, law = draw("cauchy"), stats.cauchy(scale=0.1)
    clipped = np.abs(weights) > 1 - 1e-6
    assert stats.binomtest(int(clipped.sum()), N, 2 * law.sf(1)).pvalue > P
    low, high = law.cdf(-1), law.cdf(1)
    assert kolmogorov_smirnov(weights[~clipped], lambda x: (law.cdf(x) - low) / (high - low)) > P


@pytest.mark.parametrize("family", SPARSE)
def test_sparse_weights_are_zero_for_a_fifth_and_normal_for_the_rest(family):
    weights = draw(family)
    kept = weights[weights != 0]
    assert stats.binomtest(len(kept), N, 0.8).pvalue > P
    assert kolmogorov_smirnov(kept, stats.norm(scale=FAN_IN).cdf) > P


@pytest.mark.parametrize("family", SPARSE)
def test_zeros_fall_on_rows_and_columns_alike(family):
    kept = draw(family) != 0
    for axis in (0, 1):
        counts, n = kept.sum(axis=axis), kept.shape[axis]
        dispersion = np.sum((counts - 0.8 * n) ** 2) / (0.8 * 0.2 * n)
        assert P < stats.chi2.sf(dispersion, len(counts)) < 1 - P


@pytest.mark.parametrize("family", QUANTISED)
def test_levels_are_equally_frequent(family):
    levels, counts = np.unique(draw(family), return_counts=True)
    assert len(levels) == 2 ** QUANTISED[family]
    assert stats.chisquare(counts).pvalue > P


@pytest.mark.parametrize("half", [0, 1], ids=["low", "high"])
def test_lane_bytes_are_equally_frequent_at_each_place_of_a_block(half):
    lanes = Stream(0, "layers.0", "scaffold/normal").rows(0, *SHAPE)
    octets = np.ascontiguousarray(lanes, "<u2").view(np.uint8).reshape(-1, 16, 2)[:, :, half]
    found = [stats.chisquare(np.bincount(octets.ravel(), minlength=256)).pvalue]
    found += [stats.chisquare(np.bincount(o, minlength=256)).pvalue for o in octets.T]
    # Neither too uneven nor too even to be random.
    assert min(found) > P
    assert max(found) < 1 - P


def test_pairs_of_neighbouring_lanes_are_equally_frequent():
    lanes = Stream(1, "layers.0", "scaffold/normal").rows(0, *SHAPE) >> 12
    for pairs in (lanes[:, :-1] * 16 + lanes[:, 1:], lanes[:-1] * 16 + lanes[1:]):
        # Pairs that share a lane are not independent; every second one does not.
        apart = pairs[:, ::2] if pairs.shape[0] == SHAPE[0] else pairs[::2]
        counts = np.bincount(apart.ravel(), minlength=256)
        assert P < stats.chisquare(counts).pvalue < 1 - P


@pytest.mark.parametrize("family", IID)
def test_neighbouring_rows_and_columns_are_uncorrelated(family):
    weights = draw(family)
    assert uncorrelated(weights[1:], weights[:-1])
    assert uncorrelated(weights[:, 1:], weights[:, :-1])
    assert uncorrelated(weights[:, 16:], weights[:, :-16])  # one block further


@pytest.mark.parametrize("family", IID)
def test_tiles_are_uncorrelated(family):
    weights = draw(family)
    tiles = [weights[i : i + 200, j : j + 320] for i in (0, 200) for j in (0, 320)]
    assert all(uncorrelated(a, b) for a, b in combinations(tiles, 2))


@pytest.mark.parametrize("family", IID)
def test_layers_and_seeds_are_uncorrelated(family):
    shape = (160, 320)
    places = [(s, p) for s in (0, 1, 2**64) for p in ("layers.0", "layers.1", "layers.10")]
    drawn = [draw(family, seed=s, path=p, shape=shape) for s, p in places]
    assert all(uncorrelated(a, b) for a, b in combinations(drawn, 2))


def test_families_of_one_seed_and_layer_are_uncorrelated():
    drawn = [draw(family, shape=(160, 320)) for family in IID]
    assert all(uncorrelated(a, b) for a, b in combinations(drawn, 2))


def test_substreams_are_uncorrelated():
    stream = Stream(0, "layers.0", "dropout")
    drawn = [stream.rows(0, 100, 320, substream=s).astype(float) for s in (0, 1, 2, 2**32)]
    assert all(uncorrelated(a, b) for a, b in combinations(drawn, 2))


def test_singular_values_of_a_normal_scaffold_fill_the_marchenko_pastur_law():
    # Dependence between entries that no pair of them shows would show here: the largest and
    # smallest singular values of W times sqrt(d_in) lie near sqrt(d_in) +- sqrt(d_out).
    values = np.linalg.svd(draw("normal"), compute_uv=False)
    ratio = (SHAPE[0] / SHAPE[1]) ** 0.5
    # Tracy-Widom: the edge moves by n^(-2/3) of itself; five of those either way.
    width = 5 * SHAPE[0] ** (-2 / 3)
    assert values[0] == pytest.approx(1 + ratio, rel=width)
    assert values[-1] == pytest.approx(1 - ratio, rel=width)
