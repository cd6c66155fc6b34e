"""The check of built pages finds what is missing, and only that."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_pages.py"


@pytest.fixture(scope="module")
def problems():
    return runpy.run_path(str(SCRIPT))["problems"]


@pytest.fixture
def built(tmp_path):
    """Two pages with a picture and a style, without problems."""
    (tmp_path / "style.css").write_text("")
    (tmp_path / "a b.png").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text(
        '<h1 id="head">x</h1><a href="../index.html">y</a>'
    )
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="style.css?v=1"><link rel="next" href="sub/">'
        '<img src="a%20b.png" alt="p"><img src="data:image/png;base64,x" alt="q">'
        '<a href="sub/index.html#head">a</a><a href="#">b</a><a href="https://else.where/x">c</a>'
    )
    return tmp_path


def test_whole_pages_have_no_problems(built, problems):
    assert problems(built) == []


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ('<img src="none.png" alt="x">', "none.png is missing"),
        ('<img src="a%20b.png">', "1 pictures without an alt text"),
        ('<link rel="icon" href="none.ico">', "none.ico is missing"),
        ('<script src="https://cdn.example/x.js"></script>', "is fetched from elsewhere"),
        ('<img src="//cdn.example/x.png" alt="x">', "is fetched from elsewhere"),
        ('<a href="none.html">x</a>', "none.html leads nowhere"),
        ('<a href="/none.html#a">x</a>', "/none.html#a leads nowhere"),
        ('<a href="sub/#tail">x</a>', "sub/#tail names an anchor that is not there"),
        ('<a href="#tail">x</a>', "#tail names an anchor that is not there"),
    ],
)
def test_each_problem_is_named_with_its_page(built, problems, added, words):
    page = built / "index.html"
    page.write_text(page.read_text() + added)
    (found,) = problems(built)
    assert found.startswith("index.html: ")
    assert found.endswith(words)


def test_the_script_fails_where_there_is_a_problem(built, problems, tmp_path):
    (built / "other.html").write_text('<a href="none.html">x</a>')
    done = subprocess.run([sys.executable, SCRIPT, built], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == "other.html: none.html leads nowhere\n"


def test_a_folder_without_pages_is_refused(tmp_path, problems):
    with pytest.raises(FileNotFoundError, match="build the documentation first"):
        problems(tmp_path)
