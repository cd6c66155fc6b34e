"""`deepreservoir scaffold`: the digest and statistics that the library gives."""

import hashlib
import re
import subprocess

import numpy as np
import pytest
from cli_tools import environment, program, run

from deepreservoir.scaffold import FAMILIES, ScaffoldSpec, make_scaffold


def printed(capsys) -> dict[str, str]:
    lines = capsys.readouterr().out.splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def test_the_program_prints_the_digest_of_the_librarys_weights():
    command = [*program(), "scaffold", "--family", "binary", "--shape", "512x784", "--seed", "42"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    spec = ScaffoldSpec("binary", (512, 784), 42, "layers.0")
    assert f"digest     {make_scaffold(spec).digest()}" in done.stdout.splitlines()
    assert done.stderr == ""


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_family_prints_its_digest_and_statistics(family, capsys):
    assert run("scaffold", "--family", family, "--shape", "24x32", "--seed", 3) == 0
    found = printed(capsys)
    weights = make_scaffold(ScaffoldSpec(family, (24, 32), 3, "layers.0")).dense()
    assert found["digest"] == make_scaffold(ScaffoldSpec(family, (24, 32), 3, "layers.0")).digest()
    assert found["family"].startswith(f"{family}: ")
    assert float(found["mean"]) == pytest.approx(weights.mean(), abs=1e-6)
    assert float(found["deviation"]) == pytest.approx(weights.std(), abs=1e-6)
    low, high = (float(number) for number in found["range"].split(" to "))
    assert (low, high) == pytest.approx((weights.min(), weights.max()), abs=1e-6)
    assert float(found["zeros"]) == pytest.approx(np.mean(weights == 0), abs=1e-4)


def test_the_digest_is_the_sha256_of_the_weights_bytes_as_the_help_says(capsys):
    assert run("scaffold", "--shape", "5x7") == 0
    rows = ScaffoldSpec("normal", (5, 7), 0, "layers.0").rows(0, 5)
    little_endian = np.ascontiguousarray(rows, "<f4")
    assert printed(capsys)["digest"] == hashlib.sha256(little_endian.tobytes()).hexdigest()


@pytest.mark.parametrize("storage", ["dense", "packed", "streamed"])
def test_storage_changes_the_bytes_held_and_not_the_digest(storage, capsys):
    digests = set()
    for chosen in ("auto", storage):
        shape = ("--family", "binary", "--shape", "64x128")
        assert run("scaffold", *shape, "--storage", chosen) == 0
        found = printed(capsys)
        digests.add(found["digest"])
    assert len(digests) == 1
    name, held = re.match(r"(\w+), ([\d,]+) bytes", found["storage"]).groups()
    assert name == storage
    expected = make_scaffold(ScaffoldSpec("binary", (64, 128), 0, "layers.0"), storage).nbytes
    assert int(held.replace(",", "")) == expected


@pytest.mark.parametrize(
    ("arguments", "spec"),
    [
        (("--path", "layers.1"), ScaffoldSpec("normal", (8, 9), 0, "layers.1")),
        (("--scale", "2.5"), ScaffoldSpec("normal", (8, 9), 0, "layers.0", 2.5)),
        (
            ("--scale", "family", "--family", "uniform"),
            ScaffoldSpec("uniform", (8, 9), 0, "layers.0", "family"),
        ),
        (("--seed", 2**80), ScaffoldSpec("normal", (8, 9), 2**80, "layers.0")),
    ],
    ids=["path", "gain", "family's scale", "large seed"],
)
def test_options_are_those_of_the_specification(arguments, spec, capsys):
    assert run("scaffold", "--shape", "8x9", *arguments) == 0
    assert printed(capsys)["digest"] == make_scaffold(spec).digest()


def test_a_shape_may_be_written_with_a_capital_x(capsys):
    assert run("scaffold", "--shape", "8X9") == 0
    assert printed(capsys)["shape"].startswith("8 x 9 ")
