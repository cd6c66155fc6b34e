"""The pages hold: their Python runs and prints what they say, their links lead somewhere, their
commands exit and answer as shown, and their tables name what the code has."""

import contextlib
import io
import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_limits

import deepreservoir
from deepreservoir.cli import main
from deepreservoir.estimators import ESTIMATORS
from deepreservoir.experiments import ALL_ARMS
from deepreservoir.models import ADAPTERS, ARCHITECTURES
from deepreservoir.scaffold import FAMILIES, STORAGES
from deepreservoir.sweeps import read_sweep, runs_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
PYTHON_PAGES = (
    "index",
    "quickstart",
    "from_sklearn",
    "concepts",
    "first_parameters",
    "reservoirs",
    "series",
    "models",
    "graphs",
    "images",
    "language",
    "large_models",
    "workers",
    "decisions",
    "seed_gating",
    "ranks",
    "analysis",
    "sweeps",
    "add_architecture",
)
WITH_PYTHON = [README, *(DOCS / f"{name}.md" for name in PYTHON_PAGES)]

# Left to the longer checks: what takes some seconds.
LONG_PAGES = {
    "add_architecture",
    "images",
    "sweeps",
    "ranks",
    "quickstart",
    "models",
    "analysis",
    "workers",
}
# Pages that print losses, whose last digits are those of a processor.
OF_TRAINING = {"ranks"}
LONG_COMMANDS = (
    "compare diabetes.csv",
    "compare mackey_glass",
    "forecast lorenz.csv",
    "rank digits",
    "sweep diabetes_ranks.toml",
)

# Needs files that are not part of the package.
NOT_RUN = {"compare mnist --ranks 1,8,32 --seeds 5"}

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


def page_name(path):
    return str(path.relative_to(ROOT))


def python_blocks(path):
    """Yield (code, output or None): a ```text block right below is what the code prints."""
    text = path.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(text))
    for fence, below in zip(fences, [*fences[1:], None], strict=True):
        if fence[1] != "python":
            continue
        line = text.count("\n", 0, fence.start(2))
        code = compile("\n" * line + fence[2], str(path), "exec")  # tracebacks name the page's line
        shows = below and below[1] == "text" and not text[fence.end() : below.start()].strip()
        yield code, below[2] if shows else None


def declarations(path):
    """Yield (name, text) of the declarations on a page: their first line may give a name."""
    for kind, body in FENCE.findall(path.read_text(encoding="utf-8")):
        if kind == "toml":
            name = re.match(r"# (\w+\.toml)\n", body)
            yield name[1] if name else "nameless.toml", body


def run_python(path, until=lambda: False):
    """Run the blocks of a page in one namespace; return [(printed, shown or None)].

    Its declarations are the files that they are called. What it registers is forgotten after.
    With `until`, no further blocks are run once it returns True.
    """
    namespace = {"__name__": "page"}
    results = []
    for name, text in declarations(path):
        Path(name).write_text(text, encoding="utf-8")
    registered = patch.dict(ARCHITECTURES), patch.dict(ESTIMATORS)
    # One thread: the products are small, and more threads would only wait for each other.
    with threadpool_limits(1), registered[0], registered[1]:
        for code, shown in python_blocks(path):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
            results.append((printed.getvalue(), shown))
            if until():
                break
    return results


# Columns of what a machine needs for a run, and of a time that grows from its rounding errors.
OF_THE_MACHINE = {"seconds", "peak MB", "valid, units of time"}
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")


def comparable_lines(output):
    """Return the lines of an output, with the columns of tables that are alike on all machines."""
    lines, kept = [], []
    for line in output.splitlines():
        if line.startswith("|"):
            cells = [cell.strip(" -:") for cell in line.strip("|").split("|")]
            kept = kept or [i for i, cell in enumerate(cells) if cell not in OF_THE_MACHINE]
            line = " | ".join(cells[i] for i in kept)
        lines.append(" ".join(line.split()))
    return lines


def assert_same_up_to_rounding(printed, shown):
    """Check that words and whole numbers are equal, and decimals those of another processor."""
    printed, shown = comparable_lines(printed), comparable_lines(shown)
    assert len(printed) == len(shown)
    for new, old in zip(printed, shown, strict=True):
        if old.startswith("made with"):
            continue
        assert NUMBER.sub("0", new) == NUMBER.sub("0", old)
        of_a_file = "bytes" in old.split()  # a description contains versions of other packages
        for a, b in zip(NUMBER.findall(new), NUMBER.findall(old), strict=True):
            if "." in b:
                bound = {"rel": 0.02, "abs": 0.01}
            else:
                bound = {"rel": 0.005 if of_a_file else 0, "abs": 0}
            given, expected = (float(number.replace(",", "")) for number in (a, b))
            assert given == pytest.approx(expected, **bound), (new, old)


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("loss 0.123 at rank 8", "loss 0.125 at rank 8", True),
        ("loss 0.123 at rank 8", "loss 0.193 at rank 8", False),
        ("8,012 bytes", "8,068 bytes", False),
        ("8,067 bytes", "8,068 bytes", True),
        ("rank 8,067", "rank 8,068", False),
        ("better", "worse", False),
        ("| a | seconds |\n| 1.0 | 3 |", "| a | seconds |\n| 1.0 | 4.25 |", True),
        ("| a | seconds |\n| 1.0 | 3 |", "| a | seconds |\n| 2.0 | 3 |", False),
    ],
)
def test_what_is_the_same_up_to_rounding(printed, shown, same):
    with contextlib.nullcontext() if same else pytest.raises(AssertionError):
        assert_same_up_to_rounding(printed, shown)


def slow_if(long):
    return pytest.mark.slow if long else ()


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=slow_if(path.stem in LONG_PAGES)) for path in WITH_PYTHON],
    ids=page_name,
)
def test_python_runs_and_prints_what_the_page_shows(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = run_python(path)
    assert results
    for printed, shown in results:
        if shown is not None and path.stem in OF_TRAINING:
            assert_same_up_to_rounding(printed, shown)
        elif shown is not None:
            assert printed == shown


def test_declarations_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python(DOCS / "sweeps.md", until=Path("wine.csv").exists)
    names = [name for name, _ in declarations(DOCS / "sweeps.md")]
    assert names == ["nameless.toml", "wine.toml"]
    shortest, whole = map(read_sweep, names)
    assert (shortest.dataset, len(runs_of(shortest))) == ("digits", 37)
    assert whole.target == "maker"
    # The page shows every key.
    assert set(tomllib.loads(Path("wine.toml").read_text())) == {
        "dataset",
        "target",
        "seeds",
        "protocol",
        "grid",
        "published",
    }


# Links ------------------------------------------------------------------------------------


def prose(path):
    """Return a page without its code."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return re.sub(r"`[^`\n]*`", lambda code: code[0].replace("](", ""), text)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ +(.*?) *$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_relative_links_lead_to_a_file_and_a_heading(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", target) or target.startswith("auto_examples/"):  # made by the build
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.is_file(), f"{page_name(path)}: no file {target}"
        if anchor:
            assert anchor in anchors(found), f"{page_name(path)}: no heading {target}"


def test_every_page_is_in_the_table_of_contents():
    listed = []
    for path in DOCS.glob("*.md"):
        for kind, body in FENCE.findall(path.read_text(encoding="utf-8")):
            if kind == "{toctree}":
                listed += [line for line in body.splitlines() if line and not line.startswith(":")]
    pages = [path.stem for path in DOCS.glob("*.md") if path.stem != "index"]
    assert sorted(listed) == sorted([*pages, "auto_examples/index"])


def test_included_files_exist():
    for path in PAGES:
        for included in re.findall(r"^```\{include\} (\S+)", path.read_text("utf-8"), re.MULTILINE):
            assert (path.parent / included).is_file(), f"{page_name(path)}: no file {included}"


# Commands ---------------------------------------------------------------------------------


def commands():
    """Return (arguments, output, status) of the commands on the page, in its order.

    The status is 0 unless ``$ echo $?`` follows and shows another.
    """
    found = []
    for kind, body in FENCE.findall((DOCS / "cli.md").read_text(encoding="utf-8")):
        if kind != "console":
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            if command == "echo $?":
                found[-1][2] = int(output)
            elif command.startswith("deepreservoir "):
                found.append([command.removeprefix("deepreservoir "), output, 0])
    return [tuple(command) for command in found]


RUN = [command for command in commands() if command[0] not in NOT_RUN]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the page's Python writes, and the model that it fits."""
    path = tmp_path_factory.mktemp("cli")
    with contextlib.chdir(path):
        run_python(DOCS / "cli.md")
        for arguments, *_ in RUN:
            if arguments.startswith("fit "):
                CliRunner().invoke(main, shlex.split(arguments))
    return path


@pytest.mark.parametrize(
    ("arguments", "output", "status"),
    [
        pytest.param(*command, marks=slow_if(command[0].startswith(LONG_COMMANDS)), id=command[0])
        for command in RUN
    ],
)
def test_command_exits_and_answers_as_shown(arguments, output, status, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with threadpool_limits(1):
        result = CliRunner().invoke(main, shlex.split(arguments), prog_name="deepreservoir")
    assert result.exit_code == status, result.output
    if output.startswith("|"):  # what a table was taken for is left out of the page
        assert_same_up_to_rounding(result.stdout, output)
    elif arguments.split()[0] in ("forecast", "fit", "inspect"):
        assert_same_up_to_rounding(result.output, output)
    else:
        assert result.output == output


@pytest.mark.slow
def test_the_table_of_the_quickstart_is_that_of_its_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "quickstart.md").read_text("utf-8")
    arguments = re.search(r"^\$ deepreservoir (compare .*)$", page, re.MULTILINE)[1]
    (shown,) = re.findall(r"^\| arm  (?:.*\n)+?(?=\n)", page, re.MULTILINE)
    with threadpool_limits(1):
        result = CliRunner().invoke(main, shlex.split(arguments), prog_name="deepreservoir")
    assert_same_up_to_rounding(result.output.split("\n\n")[0], shown)


def test_page_shows_every_command_and_both_bad_statuses():
    assert {args.split()[0] for args, *_ in RUN} >= set(main.modules)
    assert {status for *_, status in RUN} == {0, 1, 2}
    assert {args for args, *_ in commands()} >= NOT_RUN


@pytest.mark.parametrize("name", sorted(main.modules))
def test_every_option_of_a_command_is_on_the_page(name):
    section = (DOCS / "cli.md").read_text("utf-8").split(f"## deepreservoir {name}\n")[1]
    listed = set(re.findall(r"^\| `(--[a-z-]+)", section.split("\n## ")[0], re.MULTILINE))
    params = main.get_command(None, name).params
    options = [param for param in params if param.param_type_name == "option"]
    assert listed == {option.opts[0] for option in options}


# Names ------------------------------------------------------------------------------------


def documented_names():
    """Return the full names on the API page."""
    names, module, listing = [], "", False
    for line in (DOCS / "api.md").read_text(encoding="utf-8").splitlines():
        directive = re.match(r"\.\. ([\w:]+):: ?(\S*)", line)
        if directive:
            listing = directive[1] == "autosummary"
            if directive[1] == "currentmodule":
                module = directive[2]
            elif directive[1] == "py:data":
                names.append(directive[2])
        elif listing and re.fullmatch(r"   \w[\w.]*", line):
            names.append(f"{module}.{line.strip()}")
    return names


@pytest.mark.parametrize("name", documented_names())
def test_documented_name_can_be_imported_as_documented(name):
    module, _, attribute = name.rpartition(".")
    assert getattr(import_module(module), attribute) is not None


def test_every_public_name_is_documented():
    last = {name.rpartition(".")[2] for name in documented_names()}
    assert last >= set(deepreservoir.__all__) - {"__version__"}


def table_under(heading):
    """Return the rows of the first table under a heading of the concepts, as lists of cells."""
    section = (DOCS / "concepts.md").read_text("utf-8").split(f"# {heading}\n")[1]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0].splitlines()[2:]
    return [[cell.strip(' `"') for cell in row.strip("|").split("|")] for row in rows]


def test_families_are_those_of_the_code_with_their_bits():
    bits = {"orthogonal": "not packed", "hadamard": "structured", "kronecker": "structured"}
    expected = [[name, bits.get(name, str(family.bits))] for name, family in FAMILIES.items()]
    assert [[row[0], row[2]] for row in table_under("Families")] == expected


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("The four adapter modes", ADAPTERS),
        ("Storage", [name for name in STORAGES if name != "auto"]),
        ("What the controls answer", ALL_ARMS),
    ],
)
def test_table_lists_what_the_code_has(heading, names):
    assert [row[0] for row in table_under(heading)] == list(names)
