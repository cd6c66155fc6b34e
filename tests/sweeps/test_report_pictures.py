"""The pictures of a report: there when records have enough for them, and what is drawn."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tools import failure_of, filled, gathered, ranks, record_of, score_of
from sweep_tools import small

from deepreservoir.reports.betas import beta_by_epoch, beta_histograms, final_betas
from deepreservoir.reports.curves import by_bytes, by_rank, without_scaffold
from deepreservoir.reports.drawing import COLOURS, _spread
from deepreservoir.reports.heat import family_map, family_table
from deepreservoir.reports.pictures import pictures

pytest.importorskip("matplotlib")

SCHEDULES = ("resample", (None, ("step", 2)))
FAMILIES = ("scaffold", ("normal", "binary", "cauchy"))
RANKS = ("rank", (1, 2, 4))
BASE = {"by-rank", "by-bytes", "without-scaffold", "betas"}


def names(path):
    return [picture.name for picture in pictures(gathered(path))]


def drawn(path, draw):
    """Return the picture of a function as XML, and its texts."""
    root = ET.fromstring(draw(gathered(path)).svg)
    return root, [text.text for text in root.iter("text")]


# Which -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "more"),
    [
        ((RANKS,), set()),
        ((FAMILIES, RANKS), {"families"}),
        ((SCHEDULES, RANKS), {"beta-by-epoch"}),
        ((("b_init", ("zeros", "kaiming")), RANKS), set()),
    ],
    ids=["ranks", "families", "schedules", "b_init"],
)
def test_a_whole_sweep_has_its_pictures(tmp_path, grid, more):
    assert set(names(filled(tmp_path, small(*grid, seeds=2)))) == BASE | more


def test_without_ranks_there_are_no_curves(tmp_path):
    assert set(names(filled(tmp_path, small(FAMILIES)))) == {"families", "by-bytes", "betas"}
    one = filled(tmp_path / "one", small(("rank", (2,))))
    assert set(names(one)) == {"by-bytes", "betas"}


def only(*arms, **changes):
    def make(run):
        return record_of(run, score_of(run), **changes) if run.arm in arms else None

    return make


def test_without_records_there_are_no_pictures(tmp_path):
    sweep = small(FAMILIES, SCHEDULES, RANKS)
    assert names(filled(tmp_path / "none", sweep, lambda run: None)) == []
    failed = filled(tmp_path / "failed", sweep, lambda run: failure_of(run, error="no"))
    assert names(failed) == []


def test_without_adapters_only_the_controls_have_a_curve(tmp_path):
    assert names(filled(tmp_path, small(RANKS), only("no_scaffold", "equal_bytes", "full"))) == []


def test_without_betas_there_are_none_of_them(tmp_path):
    unknown = {"betas": {}, "beta_medians": [None, None]}
    path = filled(tmp_path, small(SCHEDULES, RANKS), only("adapter", **unknown))
    assert beta_histograms(gathered(path)) is beta_by_epoch(gathered(path)) is None


def test_without_what_was_looked_at_afterwards_there_is_no_picture_of_it(tmp_path):
    path = filled(tmp_path, small(RANKS), only("adapter", afterwards={}))
    assert without_scaffold(gathered(path)) is None


def test_one_family_or_one_schedule_so_far_is_nothing_to_compare(tmp_path):
    def first(run):
        at = dict(run.point)
        whole = at.get("scaffold") in (None, "normal") and at.get("resample") is None
        return record_of(run, score_of(run)) if whole else None

    found = names(filled(tmp_path, small(FAMILIES, SCHEDULES, RANKS), first))
    assert set(found) == BASE


# What ------------------------------------------------------------------------------------


def test_the_curve_names_its_arms_and_references(tmp_path):
    root, texts = drawn(ranks(tmp_path), by_rank)
    texts = [text and text.removesuffix(" \N{DOWNWARDS ARROW}") for text in texts]
    arms = {"adapter", "dense, same bytes", "no scaffold"}
    references = {"fully trained", "random features", "echo state", "linear model"}
    assert arms | references <= set(texts)
    assert {"1", "4", "rank", "accuracy,\N{NO-BREAK SPACE}%"} <= set(texts)
    words = root.find("desc").text
    # The mean over seeds 0, 1 and 2 of a score that grows by 0.1 points a seed.
    for known in ("adapter, rank 1: 90.35, rank 4: 91.10", "fully trained, 96.10"):
        assert known in words


def failing(run):
    return 0.1 if run.arm == "no_scaffold" else score_of(run)


def test_a_control_that_fails_does_not_set_the_axis(tmp_path):
    path = ranks(tmp_path / "failing", failing)
    for draw in (by_rank, by_bytes):
        _, texts = drawn(path, draw)
        assert "no scaffold \N{DOWNWARDS ARROW}" in texts
        assert "adapter" in texts
        assert "20" not in texts
        assert "Arms with an arrow end below the axis" in draw(gathered(path)).reading
    near = ranks(tmp_path / "near", lambda run: 0.9 + 0.01 * score_of(run))
    assert "arrow" not in by_rank(gathered(near)).reading


def test_one_seed_has_no_deviation(tmp_path):
    one = gathered(filled(tmp_path / "one", small(RANKS)))
    two = gathered(filled(tmp_path / "two", small(RANKS, seeds=2)))
    for draw in (by_rank, without_scaffold):
        assert "deviation" not in draw(one).reading
        assert "one run, with one seed" in draw(one).reading
        assert "one standard deviation over seeds" in draw(two).reading
    assert "shading" not in by_rank(one).reading
    assert "shading" in by_rank(two).reading


def test_a_runaway_without_its_scaffold_does_not_set_the_axis(tmp_path):
    def make(run):
        after = {"scaffold_removed": 0.5, "wrong_seed": -400.0}
        more = {"afterwards": after} if run.arm == "adapter" else {}
        return record_of(run, score_of(run), **more)

    path = filled(tmp_path, small(RANKS), make, task="regression")
    _, texts = drawn(path, without_scaffold)
    assert {"scaffold removed", "wrong seed \N{DOWNWARDS ARROW}"} <= set(texts)
    assert not any(text and text.endswith("00") and len(text) > 3 for text in texts)


def test_a_second_parameter_has_a_line_a_value(tmp_path):
    sweep = small(("b_init", ("zeros", "kaiming")), RANKS, seeds=2)
    _, texts = drawn(filled(tmp_path, sweep), by_rank)
    assert {"zeros", "kaiming", "fully trained"} <= set(texts)
    assert "adapter" not in texts


def test_more_values_than_can_be_told_apart_are_one_line(tmp_path):
    sweep = small(("scaffold_scale", (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)), RANKS)
    path = filled(tmp_path, sweep)
    _, texts = drawn(path, by_rank)
    assert "adapters, mean" in texts
    assert "the mean over 7 settings of scaffold_scale" in by_rank(gathered(path)).reading


def test_families_stand_best_first_with_their_spread(tmp_path):
    score = {"normal": 0.80, "binary": 0.90, "cauchy": 0.85}

    def make(run):
        return record_of(run, score.get(run.value("scaffold"), 0.5))

    path = filled(tmp_path, small(FAMILIES, RANKS), make)
    table = family_table(gathered(path))
    assert table.columns == (1, 2, 4)
    assert [family for family, _ in table.rows] == ["binary", "cauchy", "normal"]
    assert table.spreads() == pytest.approx((10.0, 10.0, 10.0))
    _, texts = drawn(path, family_map)
    assert texts.count("90.00") == texts.count("80.00") == texts.count("10.00") == 3
    assert {"rank 1", "rank 2", "rank 4", "spread", *score} <= set(texts)


def test_a_family_that_lacks_a_rank_stands_last(tmp_path):
    def make(run):
        late = run.value("scaffold") == "binary" and run.value("rank") != 4
        return None if late else record_of(run, 0.99 if run.value("scaffold") == "binary" else 0.5)

    table = family_table(gathered(filled(tmp_path, small(FAMILIES, RANKS), make)))
    assert table.rows[-1] == ("binary", (None, None, pytest.approx(99.0)))


def test_betas_are_grouped_by_layer_or_by_schedule(tmp_path):
    layers = final_betas(gathered(filled(tmp_path / "a", small(RANKS, seeds=2))))
    assert layers == {"layers.0": [1.5] * 6, "layers.1": [0.9] * 6}
    by_schedule = final_betas(gathered(filled(tmp_path / "b", small(SCHEDULES, RANKS))))
    assert by_schedule == {"none": [1.5, 0.9] * 3, "step 2": [1.5, 0.9] * 3}
    many = {"betas": {f"layers.{i}": float(i) for i in range(9)}}
    path = filled(tmp_path / "c", small(RANKS), only("adapter", **many))
    assert final_betas(gathered(path)) == {"all layers": sorted([float(i) for i in range(9)] * 3)}


def test_the_course_of_beta_is_that_of_the_highest_rank(tmp_path):
    def make(run):
        medians = [1.0, 0.5 if run.value("rank") == 4 else 0.1]
        more = {"beta_medians": medians} if run.arm == "adapter" else {}
        return record_of(run, score_of(run), **more)

    root, texts = drawn(filled(tmp_path, small(SCHEDULES, RANKS), make), beta_by_epoch)
    words = root.find("desc").text.replace("\N{NO-BREAK SPACE}", " ")
    assert words == "none: 91.00 %, beta from 1 to 0.5; step 2: 91.00 %, beta from 1 to 0.5."
    assert "none: 91.00\N{NO-BREAK SPACE}%" in texts


def test_a_dollar_is_a_dollar(tmp_path):
    text = "$x^2$ <b> & co"
    path = filled(tmp_path, small(RANKS), only("adapter", betas={text: 1.0, "b": 1.0}))
    _, texts = drawn(path, beta_histograms)
    assert text in texts


def test_a_picture_has_the_colours_of_the_page(tmp_path):
    for picture in pictures(gathered(ranks(tmp_path))):
        assert "var(--ink)" in picture.svg or "var(--quiet)" in picture.svg
        assert not any(colour in picture.svg for colour in COLOURS.values())
        root = ET.fromstring(picture.svg)
        assert "width" not in root.attrib  # it is as wide as the page has room for


# Names at the edge -----------------------------------------------------------------------


@given(
    st.lists(st.floats(-0.5, 1.5), max_size=10).map(lambda all: sorted(all, reverse=True)),
    st.floats(0.01, 0.1),
)
def test_names_are_apart_in_their_order_and_inside(heights, gap):
    placed = _spread(heights, gap)
    assert len(placed) == len(heights)
    assert all(a - b >= gap - 1e-9 for a, b in pairwise(placed))
    if (len(heights) - 1) * gap <= 1:
        assert all(-1e-9 <= place <= 1 + 1e-9 for place in placed)


def test_names_that_are_apart_stay_where_they_are():
    assert _spread([0.9, 0.5, 0.1], 0.1) == [0.9, 0.5, 0.1]
    assert _spread([0.5, 0.5], 0.1) == pytest.approx([0.55, 0.45])
