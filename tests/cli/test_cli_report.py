"""`deepreservoir report`: what it writes and what it refuses, as a program too."""

import os
import shutil
import subprocess
import sys

import pytest
from cli_tools import environment, files_below, own_folder, program, run

from deepreservoir.sweeps import Folder, read_sweep, run_sweep

ROWS = "".join(f"{i},{i * 7 % 5},{'ab'[i % 2]}\n" for i in range(40))
DECLARATION = """
dataset = "made.csv"
target = "kind"
seeds = 1
[protocol]
hidden_layer_sizes = [4]
max_iter = 1
[grid]
rank = [1, 2]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a table, a declaration, and the records of its sweep in `ranks`."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "made.csv").write_text("length,width,kind\n" + ROWS)
    (folder / "ranks.toml").write_text(DECLARATION)
    run_sweep(folder / "ranks.toml", folder / "ranks")
    return folder


@pytest.fixture
def here(made, tmp_path, monkeypatch):
    """A copy of that folder, which is the current one."""
    folder = own_folder(tmp_path, monkeypatch)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return folder


@pytest.mark.slow
def test_the_program_writes_the_page_into_the_folder(here, made):
    done = subprocess.run(
        [*program(), "report", "ranks"],
        capture_output=True, encoding="utf-8", env=environment(), cwd=here, check=True,
    )  # fmt: skip
    page = here / "ranks" / "report.html"
    assert done.stdout.splitlines()[0] == f"Wrote {os.path.join('ranks', 'report.html')}"
    assert done.stderr == ""
    text = page.read_text(encoding="utf-8")
    assert "<h1>ranks</h1>" in text
    assert "made.csv, target kind" in text
    assert str(made) not in text  # where data lies is nobody's business


def test_the_page_goes_where_it_is_told_and_again(here):
    before = files_below(here)
    for _ in range(2):
        assert run("report", "ranks", "--out", "page.html") == 0
    assert files_below(here) == sorted([*before, "page.html"])
    assert run("report", "ranks") == 0
    assert (here / "ranks" / "report.html").read_bytes() == (here / "page.html").read_bytes()


def test_the_sweep_goes_on_in_a_folder_with_a_report(here):
    before = Folder("ranks").records()
    assert run("report", "ranks") == 0
    assert run_sweep("ranks.toml", "ranks").records() == before


def test_a_sweep_that_has_not_run_yet_has_a_page(here, capsys):
    Folder("new", read_sweep("ranks.toml"))
    assert run("report", "new") == 0
    assert "Incomplete: 0 of" in (here / "new" / "report.html").read_text(encoding="utf-8")


def test_without_matplotlib_there_is_a_page_and_a_word(here, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("report", "ranks") == 0
    assert "note: there are no pictures; they need matplotlib" in capsys.readouterr().out
    assert "<svg" not in (here / "ranks" / "report.html").read_text(encoding="utf-8")


# Refusals --------------------------------------------------------------------


def refused(capsys, here, status, *words, arguments):
    before = files_below(here)
    assert run("report", *arguments) == status
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    for word in words:
        assert word in last
    assert files_below(here) == before


def test_no_folder(here, capsys):
    refused(capsys, here, 2, "Directory 'nosuch' does not exist", arguments=["nosuch"])
    refused(capsys, here, 2, "Missing argument 'DIR'", arguments=[])
    refused(capsys, here, 2, "'made.csv' is a file", arguments=["made.csv"])


def test_a_folder_of_something_else(here, capsys):
    words = ("is not the folder of a sweep", "it has no sweep.json", "name the folder that")
    refused(capsys, here, 1, *words, arguments=["."])
    (here / "empty").mkdir()
    refused(capsys, here, 1, *words, arguments=["empty"])


def test_a_description_or_a_record_that_is_damaged(here, capsys):
    records = here / "ranks" / "records.jsonl"
    records.write_text("[]\n" + records.read_text())
    refused(capsys, here, 1, "records.jsonl, line 1, is not a record", arguments=["ranks"])
    (here / "ranks" / "sweep.json").write_text("{}")
    refused(capsys, here, 1, "sweep.json is not the description of a sweep", arguments=["ranks"])


@pytest.mark.parametrize("name", ["records.jsonl", "sweep.json"])
def test_a_page_in_the_place_of_the_sweep(here, capsys, name):
    own = here / "ranks" / name
    before = own.read_bytes()
    arguments = ["ranks", "--out", f"ranks/../ranks/{name}"]
    refused(capsys, here, 1, "would be lost; name another file", arguments=arguments)
    assert own.read_bytes() == before


def test_a_page_that_cannot_be_written(here, capsys):
    words = ("page.html cannot be written", "is not a writable folder")
    refused(capsys, here, 2, *words, arguments=["ranks", "--out", "nosuch/page.html"])
    refused(capsys, here, 2, "is a directory", arguments=["ranks", "--out", "ranks"])
