"""What is packed: the version, who is cited, and the files that the tests need."""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import deepreservoir

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_citation_is_of_this_version_and_license():
    assert re.search(r"^version: (.+)$", CITATION, re.MULTILINE)[1] == deepreservoir.__version__
    assert f"license: {PROJECT['project']['license']}\n" in CITATION


def test_the_citation_names_the_authors_of_the_license_and_the_paper_of_the_readme():
    holder = re.search(r"Copyright \(c\) \d+, (.+)", (ROOT / "LICENSE").read_text())[1]
    assert f"- name: {holder[0].upper()}{holder[1:]}\n" in CITATION
    paper = re.search(r"https://arxiv\.org/abs/[\d.]+", (ROOT / "README.md").read_text())[0]
    assert f"url: {paper}\n" in CITATION


def test_type_checkers_are_told_that_the_package_is_typed():
    assert (Path(deepreservoir.__file__).parent / "py.typed").is_file()


def test_the_source_distribution_includes_every_tracked_file():
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("this is not a clone of the repository")
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    always = {"pyproject.toml"}
    for path in filter(None, tracked.stdout.split("\0")):
        patterns = [pattern.removeprefix("/") for pattern in included]
        assert path in always or any(
            fnmatch(path, pattern) or path.startswith(f"{pattern}/") for pattern in patterns
        ), f"{path} is tracked, but is not in the source distribution"
