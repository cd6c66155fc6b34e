"""The report of a sweep: a page that is whole, safe, accessible, and says what records say."""

import os
import re
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, stdev

import pytest
from report_tools import (
    RANKS,
    cells,
    failure_of,
    filled,
    gathered,
    parsed,
    ranks,
    record_of,
    score_of,
)
from sweep_tools import small

from deepreservoir.experiments import Protocol
from deepreservoir.sweeps import (
    Figure,
    Folder,
    Published,
    Run,
    Sweep,
    run_sweep,
    runs_of,
    save_report,
    summary,
)
from deepreservoir.sweeps.draw import COLOURS
from deepreservoir.sweeps.markup import tag
from deepreservoir.sweeps.page import PAPER

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def empty(path):
    return filled(path, small(("rank", RANKS)), lambda run: None)


def schedules(path):
    return filled(path, small(("resample", (None, ("step", 2))), ("rank", RANKS), seeds=3))


def families(path):
    return filled(path, small(("scaffold", ("normal", "binary")), ("rank", RANKS), seeds=2))


def numbers(path):
    """A regression, its scores below zero."""
    return ranks(path, lambda run: score_of(run) - 1.5, task="regression")


def broken(path):
    """A sweep of which runs failed, were left out, or are not there yet."""

    def make(run):
        if run.arm == "equal_bytes":
            return failure_of(run, left_out="no dense network fits into 12 bytes")
        if run.value("rank") == 4:
            return None if run.seed == 2 else failure_of(run, error="TrainingDiverged: too fast")
        return record_of(run, score_of(run))

    return filled(path, small(("rank", RANKS), seeds=3), make)


SWEEPS = [empty, ranks, schedules, families, numbers, broken]


@pytest.fixture(params=SWEEPS, ids=lambda make: make.__name__)
def any_page(request, tmp_path):
    return save_report(request.param(tmp_path / "sweep")).read_text(encoding="utf-8")


def page_of(folder):
    return parsed(save_report(folder).read_text(encoding="utf-8"))


# Whole, and alone ----------------------------------------------------------------------


def test_elements_are_nested_and_ids_are_unique_and_found(any_page):
    assert any_page.startswith("<!DOCTYPE html>\n<html")
    elements = parsed(any_page).all()
    ids = Counter(e.attributes["id"] for e in elements if "id" in e.attributes)
    assert set(ids.values()) == {1}
    wanted = set(re.findall(r"url\(#([^)]+)\)", any_page))
    for element in elements:
        wanted |= set(element.attributes.get("aria-labelledby", "").split())
        target = element.attributes.get("href", "")
        wanted |= {target[1:]} if target.startswith("#") else set()
    assert wanted
    assert wanted <= set(ids)


def test_nothing_is_fetched_and_nothing_is_run(any_page):
    assert re.findall(r"https?:[^\"'\s<)]*", any_page) == [PAPER]
    root = parsed(any_page)
    for element in root.all():
        assert element.name not in ("script", "iframe", "img", "object", "embed", "base", "form")
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name != "src"
            if name in ("href", "xlink:href"):
                assert value in (PAPER, "data:,") or value.startswith("#")
    for word in ("@import", "url(http", "url(//", "url(data"):
        assert word not in any_page
    (policy,) = [e for e in root.all("meta") if "http-equiv" in e.attributes]
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_the_page_can_be_read_without_seeing_it(any_page):
    root = parsed(any_page)
    assert root.all("html")[0].attributes["lang"] == "en-GB"
    levels = [int(e.name[1]) for e in root.all() if re.fullmatch("h[1-6]", e.name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))
    for table in root.all("table"):
        assert table.all("caption")[0].text.strip()
        assert {h.attributes["scope"] for h in table.all("thead")[0].all("th")} == {"col"}
        for row in table.all("tbody")[0].all("tr"):
            assert [c.name for c in row.children][:1] == ["th"]
            assert row.children[0].attributes["scope"] == "row"
    for picture in root.all("svg"):
        assert picture.attributes["role"] == "img"
        title, words = (root.by_id(n) for n in picture.attributes["aria-labelledby"].split())
        assert (title.name, words.name) == ("title", "desc")
        assert title.text
        assert words.text
    for figure in root.all("figure"):
        assert figure.all("figcaption")[0].text.strip().endswith(".")


def test_the_same_records_give_the_same_bytes_whatever_the_settings(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    folder = schedules(tmp_path / "sweep")
    first = save_report(folder).read_bytes()
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.xmargin": 0.4}):
        assert save_report(folder, tmp_path / "again.html").read_bytes() == first
        assert matplotlib.rcParams["font.size"] == 30
    assert b"\r" not in first


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = ranks(tmp_path / "sweep")
    path = save_report(folder, tmp_path / "page.html")
    before = path.read_bytes()
    with Folder(folder).own_files[1].open("a") as file:
        file.write('{"half a record')

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        save_report(folder, path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["page.html", "sweep"]


def test_a_report_leaves_the_records_alone_and_takes_them_as_they_were(tmp_path):
    folder = ranks(tmp_path / "sweep")
    files = Folder(folder).own_files
    before = [file.read_bytes() for file in files]
    found = gathered(folder)
    Folder(folder).append([failure_of(Run("linear", (), 0), error="late")])
    assert len(found.rows) == len(gathered(folder).rows)
    assert not any("error" in record for record in found.records)
    files[1].write_bytes(before[1])
    save_report(folder)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("which", [0, 1])
def test_the_sweep_itself_is_not_written_over(tmp_path, which):
    folder = ranks(tmp_path / "sweep")
    own = Folder(folder).own_files[which]
    before = own.read_bytes()
    with pytest.raises(ValueError, match="would be lost; name another file"):
        save_report(folder, folder / ".." / "sweep" / own.name)
    assert own.read_bytes() == before


@pytest.mark.parametrize("inside", [[], ["notes.txt"]])
def test_a_folder_without_a_sweep_is_refused(tmp_path, inside):
    for name in inside:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="holds no sweep: there is no sweep"):
        save_report(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == inside


# What users write ----------------------------------------------------------------------

HOSTILE = '</title></td><script>alert("1")</script>&amp; $x^2$ \N{SNOWMAN}'


def hostile(path, text):
    at = Figure("adapter", (("rank", 1),), 10.0)
    sweep = small(("rank", RANKS), seeds=2)
    sweep = replace(
        sweep, name=text, dataset=f"data/{text.replace('/', '|')}.csv", target=text,
        published=Published(text, 1.0, (at,)), protocol=replace(sweep.protocol, scaffold=text),
    )  # fmt: skip

    def make(run):
        if run.arm == "full":
            return failure_of(run, error=text)
        if run.arm == "echo_state":
            return failure_of(run, left_out=text)
        betas = {"betas": {text: 1.0, f"{text}2": 2.0}} if run.arm == "adapter" else {}
        return record_of(run, score_of(run), **betas)

    return page_of(filled(path, sweep, make))


def test_all_text_is_escaped(tmp_path):
    page, harmless = hostile(tmp_path / "a", HOSTILE), hostile(tmp_path / "b", "plain")
    assert [e.name for e in page.all()] == [e.name for e in harmless.all()]
    text = page.all("body")[0].text
    # A name, a target, a source, a parameter, an error, what was left out, two layers.
    assert text.count(HOSTILE) >= 8
    assert page.all("title")[0].text.startswith(HOSTILE)


def test_attributes_are_escaped_and_markup_is_taken_as_it_is():
    made = tag("a", "<", tag("b", "&"), href='"><b>', aria_label="'")
    assert made == '<a href="&quot;&gt;&lt;b&gt;" aria-label="&#x27;">&lt;<b>&amp;</b></a>'


# What the tables say -------------------------------------------------------------------


def scores(arm, rank=None):
    point = () if rank is None else (("rank", rank),)
    return [100 * score_of(Run(arm, point, seed)) for seed in range(3)]


def as_cell(values):
    return f"{fmean(values):.2f} ± {stdev(values):.2f}"


def test_every_arm_and_point_has_its_mean_and_spread(tmp_path):
    rows = cells(page_of(ranks(tmp_path)), "all")
    found = {(row["arm"], row["rank"]): row for row in rows}
    names = {
        "adapter": "adapter",
        "equal_bytes": "dense, same bytes",
        "no_scaffold": "no scaffold",
    }
    for arm, name in names.items():
        for rank in RANKS:
            row = found.pop((name, str(rank)))
            assert row["accuracy, %"] == as_cell(scores(arm, rank))
            assert row["trained numbers"] == f"{1000 * rank:,}"
            assert row["stored bytes"] == f"{4000 * rank + 8:,}"
            assert row["runs"] == "3"
            lost = [NONE, NONE]
            if arm == "adapter":
                lost = [as_cell([s - fall for s in scores(arm, rank)]) for fall in (50, 60)]
            assert [row["scaffold removed"], row["wrong seed"]] == lost
    assert found.pop(("fully trained", NONE))["accuracy, %"] == as_cell(scores("full"))
    assert found.pop(("logistic regression", NONE))["runs"] == "1"
    assert set(found) == {("random features", NONE), ("echo state", NONE)}


def test_a_regression_has_four_digits_and_its_own_words(tmp_path):
    page = page_of(numbers(tmp_path))
    rows = {(row["arm"], row["rank"]): row for row in cells(page, "all")}
    values = [score_of(Run("adapter", (("rank", 1),), seed)) - 1.5 for seed in range(3)]
    expected = f"{MINUS}{-fmean(values):.4f} ± {stdev(values):.4f}"
    assert rows["adapter", "1"]["R²"] == expected
    assert ("ridge regression", NONE) in rows
    assert "accuracy" not in page.all("main")[0].text.lower()


def published(path, tolerance, *figures, make=None):
    sweep = replace(small(("rank", RANKS), seeds=3), published=Published("a", tolerance, figures))
    return page_of(filled(path, sweep, make))


def test_ours_stand_beside_published(tmp_path):
    page = published(
        tmp_path,
        0.5,
        Figure("adapter", (("rank", 1),), 90.0, 1000),
        Figure("adapter", (("rank", 4),), 99.0),
        Figure("adapter", (), 95.0),
        Figure("full", (), 90.0, at_least=96.4),
        Figure("linear", (), None),
    )
    rows = cells(page, "beside")
    ours = [scores("adapter", 1), scores("adapter", 4), scores("full")]
    assert [rows[i]["ours, %"] for i in (0, 1, 3)] == [as_cell(values) for values in ours]
    assert [row["at"] for row in rows] == ["rank 1", "rank 4", NONE, NONE, NONE]
    assert [row["published"] for row in rows] == ["90.00", "99.00", "95.00", "90.00", NONE]
    assert rows[0]["difference"] == f"+{fmean(ours[0]) - 90:.2f}"
    assert rows[1]["difference"] == f"{MINUS}{99 - fmean(ours[1]):.2f}"
    assert [row["target"] for row in rows] == ["≥ 89.50", "≥ 98.50", "≥ 94.50", "≥ 96.40", NONE]
    verdicts = ["✓ met", "✗ missed", "✗ missed", "✗ missed", NONE]
    assert [row["verdict"] for row in rows] == verdicts
    between = fmean(ours[1]) - fmean(ours[0])
    assert [row["spread over the rest"] for row in rows] == [NONE] * 2 + [f"{between:.2f}"] + [
        NONE
    ] * 2
    assert [row["published 9"] for row in rows] == ["1,000"] + [NONE] * 4
    words = "1 of 4 targets are met; missed: adapter, rank 4; adapter; fully trained."
    assert words in page.all("main")[0].text


def test_a_target_without_runs_is_not_met_and_not_missed(tmp_path):
    figures = (Figure("adapter", (("rank", 1),), 90.0), Figure("adapter", (("rank", 4),), 90.0))
    page = published(
        tmp_path, 0.5, *figures,
        make=lambda run: None if run.value("rank") == 4 else record_of(run, score_of(run)),
    )  # fmt: skip
    assert [row["verdict"] for row in cells(page, "beside")] == ["✓ met", "no runs yet"]
    assert "1 of 2 targets are met. 1 have no runs yet." in page.all("main")[0].text


def test_without_targets_there_is_no_verdict(tmp_path):
    (row,) = cells(published(tmp_path, None, Figure("full", (), 90.0)), "beside")
    assert "verdict" not in row
    assert "target" not in row


def test_a_sweep_without_published_figures_has_no_such_table(tmp_path):
    page = page_of(ranks(tmp_path))
    assert "beside-caption" not in {e.attributes.get("id") for e in page.all()}


def test_a_real_sweep_of_digits(tmp_path):
    quick = Protocol(hidden_layer_sizes=(16,), max_iter=1)
    sweep = Sweep("tiny", "digits", None, None, (0,), quick, (("rank", (1, 2)),))
    folder = run_sweep(sweep, tmp_path / "sweep")
    page = page_of(folder.path)
    rows = cells(page, "all")
    own = [row for row in summary(folder) if row.arm not in ("scaffold_removed", "wrong_seed")]
    assert len(rows) == len(own)
    for row, of in zip(rows, own, strict=True):
        assert float(row["accuracy, %"]) == pytest.approx(of.mean, abs=0.006)
        assert row["trained numbers"] == f"{of.trained:,}"
    text = page.all("header")[0].text
    assert "digits" in text
    assert f"{len(runs_of(sweep))} of {len(runs_of(sweep))}" in text
    assert "hidden_layer_sizes 16; max_iter 1;" in text
    assert folder.began["machine"]["processor"] in text
    assert "Not finished" not in text


# How far it has come -------------------------------------------------------------------


def test_a_sweep_that_has_just_begun_says_so(tmp_path):
    page = page_of(empty(tmp_path))
    text = page.text
    assert "Not finished: 0 of 10 runs are there" in text
    assert "There are no figures yet." in text
    assert not page.all("svg")
    assert cells(page, "all") == []


def test_what_failed_and_what_was_left_out_is_told(tmp_path):
    page = page_of(broken(tmp_path))
    total = len(runs_of(small(("rank", RANKS), seeds=3)))
    # Adapter and no_scaffold at rank 4: failed for two seeds, not there for the third.
    text = page.all("header")[0].text
    assert f"Not finished: {total - 2} of {total} runs are there" in text
    assert "4 runs have failed" in text
    assert f"{total - 6} of {total}" in text
    rows = cells(page, "failures")
    assert Counter((row["arm"], row["at"], row["error"]) for row in rows) == {
        ("adapter", "rank 4", "TrainingDiverged: too fast"): 2,
        ("no scaffold", "rank 4", "TrainingDiverged: too fast"): 2,
    }
    assert sorted(row["seed"] for row in rows) == ["0", "0", "1", "1"]
    listed = [item.text for item in page.all("li")]
    assert "dense, same bytes: left out, no dense network fits into 12 bytes." in listed
    (failed,) = [r for r in cells(page, "all") if (r["arm"], r["rank"]) == ("adapter", "4")]
    assert (failed["accuracy, %"], failed["runs"]) == (NONE, "0 (2 failed)")


def test_a_whole_sweep_has_no_warnings(tmp_path):
    page = page_of(ranks(tmp_path))
    assert not [e for e in page.all() if e.attributes.get("role") == "note"]
    assert "failures-caption" not in {e.attributes.get("id") for e in page.all()}


def test_without_matplotlib_the_tables_are_there_and_a_word(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    page = page_of(ranks(tmp_path))
    assert not page.all("svg")
    assert "matplotlib is not installed" in page.text
    assert len(cells(page, "all")) == 10


# How it looks --------------------------------------------------------------------------


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def schemes():
    style = (
        Path(sys.modules["deepreservoir.sweeps.page"].__file__).parent / "page.css"
    ).read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.S)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", part)) for part in (light, dark)]


def test_colours_stand_out_in_both_schemes():
    light, dark = schemes()
    assert set(light) == set(dark) == {*COLOURS, "paper", "card"}
    assert {name: light[name] for name in COLOURS} == COLOURS
    for scheme in (light, dark):
        for name in ("ink", "quiet", "blue", "red"):  # those of text
            assert contrast(scheme[name], scheme["paper"]) >= 4.5, name
        assert contrast(scheme["ink"], scheme["card"]) >= 4.5
        for name in COLOURS.keys() - {"rule"}:  # those of pictures
            assert contrast(scheme[name], scheme["paper"]) >= 3, name
