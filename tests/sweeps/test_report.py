"""The report of a sweep as a page: whole, alone, safe, and for everyone to read."""

import os
import re
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from report_tools import (
    RANKS,
    broken,
    cells,
    empty,
    failure_of,
    families,
    filled,
    gathered,
    numbers,
    page_of,
    parsed,
    ranks,
    record_of,
    schedules,
    score_of,
)
from sweep_tools import small

from deepreservoir.reports import save_report
from deepreservoir.reports.drawing import COLOURS
from deepreservoir.reports.html import tag
from deepreservoir.reports.page import PAPER
from deepreservoir.sweeps import Figure, Folder, Published, Run, store

SWEEPS = [empty, ranks, schedules, families, numbers, broken]


@pytest.fixture(scope="module", params=SWEEPS, ids=lambda make: make.__name__)
def any_page(request, tmp_path_factory):
    folder = request.param(tmp_path_factory.mktemp("sweep"))
    return save_report(folder).read_text(encoding="utf-8")


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


@pytest.mark.usefixtures("without_pictures")
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


@pytest.mark.usefixtures("without_pictures")
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
    with pytest.raises(ValueError, match="is not the folder of a sweep: it has no sweep"):
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
        Path(sys.modules["deepreservoir.reports.page"].__file__).parent / "page.css"
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


def test_the_page_names_all_versions_under_which_records_were_made(
    tmp_path, monkeypatch, without_pictures
):
    found = {"deepreservoir": "0.1.0", "numpy": "1.26.4"}
    monkeypatch.setattr(store, "versions", lambda: found)
    folder = ranks(tmp_path / "ranks")
    assert [words for words in facts(folder) if "ersions" in words] == [
        "Versionsdeepreservoir 0.1.0, numpy 1.26.4"
    ]
    found = {"deepreservoir": "0.2.0", "numpy": "1.26.4"}
    again = Folder(folder)
    again.append(again.records()[:1])
    assert [words for words in facts(folder) if "ersions" in words] == [
        "Versionsdeepreservoir 0.1.0, numpy 1.26.4",
        "Later versionsdeepreservoir 0.2.0, numpy 1.26.4",
    ]
    (footer,) = page_of(folder).all("footer")
    assert "deepreservoir 0.1.0 and 0.2.0." in footer.text


def facts(folder):
    return [each.text for each in page_of(folder).all("div")]
