"""The arrows of docs/architecture.md: imports point down, and foreign ones stay in their place."""

import ast
from pathlib import Path

import pytest

import deepreservoir

PACKAGE = Path(deepreservoir.__file__).parent

# From the ground up; a module may import what stands below it, and its own row's primitives.
LEVELS = [
    (
        "checks",
        "choices",
        "files",
        "moments",
        "printable",
        "quantised",
        "sizes",
        "thread_limits",
        "time_steps",
        "user_warnings",
        "versions",
        "worker_processes",
    ),
    ("clusters",),
    ("stored_values",),
    ("strict_json",),
    ("backend", "container", "frames"),
    ("device_scope", "document", "kernels"),
    ("scaffold", "params"),
    ("inputs", "losses", "optim", "layers"),
    ("models",),
    ("passes",),
    ("merged",),
    ("network",),
    ("training", "esn", "analysis", "gradient_check"),
    ("estimators",),
    ("artifact", "search"),
    ("datasets", "displays"),
    ("experiments",),
    ("sweeps",),
    ("reports",),
    ("cli",),
    ("__main__",),
]
RANK = {name: i for i, names in enumerate(LEVELS) for name in names}

# Folders are free inside, except where a row is given here.
INSIDE = {
    "kernels": {
        "cuda": set(),
        "activations": {"compiled", "cuda", "draw", "dropout", "gelu", "sigmoid"},
        "adam": {"compiled", "cuda"},
        "adapted_relu": {"compiled", "dropout", "low_rank"},
        "attention": {"compiled", "products"},
        "branches": set(),
        "compiled": {"compiled"},
        "closed_form": {"activations", "cuda", "dropout", "sigmoid"},
        "draw": {"compiled", "cuda"},
        "dropout": {"draw"},
        "gelu": {"compiled"},
        "gated": {"cuda", "sigmoid"},
        "graphs": {"branches", "cuda", "products"},
        "hadamard": {"cuda"},
        "linalg": {"products"},
        "low_rank": {"compiled", "cuda", "products"},
        "low_rank_activation": {"activations", "cuda", "draw", "dropout", "low_rank"},
        "hadamard_reservoir": {"cuda", "reservoir"},
        "norm": {"compiled", "cuda"},
        "norm_relu": {"compiled", "products"},
        "packing": {"cuda", "draw"},
        "row_norms": {"cuda"},
        "patches": {"compiled", "cuda"},
        "products": {"cuda"},
        "reservoir": {"cuda", "products"},
        "rotary": set(),
        "sparse_reservoir": {"cuda", "reservoir"},
        "sparse": set(),
        "scatter": {"cuda"},
        "sigmoid": set(),
        "softmax": {"cuda"},
    },
    "layers": {
        "multiply_adds": set(),
        "init": set(),
        "layer_limit": set(),
        "base": {"init", "layer_limit", "multiply_adds"},
        "composite": {"base", "multiply_adds"},
        "dropout": {"base"},
        "activation": {"base", "dropout", "multiply_adds"},
        "text_embedding": {
            "adapter",
            "base",
            "multiply_adds",
            "scaffold_embedding",
            "token_embedding",
        },
        "norm": {"base", "multiply_adds"},
        "batch_norm": {"base", "multiply_adds"},
        "graph": {"base", "dense", "multiply_adds"},
        "embedding": {"base", "init", "multiply_adds"},
        "pooling": {"base", "multiply_adds"},
        "gin": {
            "adapter",
            "activation",
            "base",
            "batch_norm",
            "composite",
            "dense",
            "multiply_adds",
            "pooling",
        },
        "adapter": set(),
        "equal_parts": {"dense", "plain_dense"},  # for type checkers alone
        "combined": {"dense"},  # for type checkers alone
        "dense": {"adapter", "base", "combined", "dropout", "equal_parts", "multiply_adds"},
        "plain_dense": {"base", "equal_parts", "init", "multiply_adds"},
        "activated_dense": {"activation", "base", "composite", "dense", "dropout"},
        "convolution": {"adapter", "base", "combined", "dense", "multiply_adds"},
        "norm_relu": {"base", "batch_norm"},
        "convolution_stack": {"base", "convolution", "multiply_adds", "norm_relu"},
        "attention": {
            "adapter",
            "base",
            "composite",
            "dense",
            "key_value_cache",
            "multiply_adds",
            "norm",
        },
        "stochastic_depth": {"base", "dropout", "multiply_adds"},
        "transformer": {
            "adapter",
            "activation",
            "attention",
            "base",
            "composite",
            "dense",
            "multiply_adds",
            "norm",
            "stochastic_depth",
        },
        "patch_embedding": {"base", "init", "multiply_adds", "plain_dense"},
        "gated_mlp": {"adapter", "base", "dense", "multiply_adds"},
        "key_value_cache": set(),
        "decoder": {
            "adapter",
            "attention",
            "base",
            "composite",
            "dense",
            "gated_mlp",
            "multiply_adds",
            "norm",
        },
        "token_embedding": {"base", "init", "multiply_adds"},
        "scaffold_embedding": {"adapter", "base", "dense", "multiply_adds", "token_embedding"},
        "trajectory": {"base", "multiply_adds", "norm", "plain_dense", "token_embedding"},
        "step_products": {"base", "combined", "dense"},
        "cfc": {"adapter", "base", "dense", "dropout", "multiply_adds", "step_products"},
    },
    "scaffold": {
        "streams": set(),
        "tables": set(),
        "quantiles": set(),
        "linalg": set(),
        "spec": {"streams", "tables"},
        "storage": {"spec"},
        "families": {"linalg", "spec", "storage"},
        "hadamard": {"families", "spec", "storage", "streams", "tables"},
        "kronecker": {"families", "spec", "storage", "streams", "tables"},
        "registry": {"families", "hadamard", "kronecker", "spec"},
        "build": {"spec", "storage"},
    },
}

FOREIGN = {
    "sklearn": {"estimators", "search", "artifact", "experiments", "datasets", "displays"},
    "click": {"cli"},
    "cupy": {"backend", "kernels"},
    "cupyx": {"backend", "kernels"},
    "numba": {"esn", "kernels"},
    "nvmath": {"kernels"},
    "pooch": {"datasets"},
    "matplotlib": {"displays", "experiments", "reports"},
    "joblib": {"search", "sweeps", "training"},
    "distributed": {"clusters", "sweeps", "training"},
    "pandas": {"experiments"},
    "PIL": {"datasets", "inputs"},
    "tokenizers": {"inputs"},
    "gymnasium": {"experiments"},
    "h5py": {"datasets"},
}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports_of(path):
    """Return (own modules, foreign packages): own ones as parts after the package's name."""
    own, foreign = set(), set()
    here = path.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            foreign |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            foreign.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level]
            base = above + tuple(node.module.split(".") if node.module else ())
            own |= {(*base, alias.name) for alias in node.names} if not node.module else {base}
    return own, foreign


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = path.relative_to(PACKAGE).with_suffix("").parts
    for target in imports_of(path)[0]:
        if target[0] == here[0]:
            allowed = INSIDE.get(here[0])
            if allowed is not None and len(target) > 1 and here[-1] != "__init__":
                assert target[1] in allowed[here[1]], f"{here} may not import its sibling {target}"
        elif target[0] in RANK:
            assert RANK[target[0]] < RANK[here[0]], f"{here} imports upwards: {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_foreign_packages_stay_in_their_place(path):
    top = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for package in imports_of(path)[1]:
        assert top in FOREIGN.get(package, {top}), f"{path} may not import {package}"
        assert package != "benchmarks"


def test_kernels_import_numba_in_one_place():
    using = {path for path in PACKAGE.glob("kernels/**/*.py") if "numba" in imports_of(path)[1]}
    assert {path.parent for path in using} == {PACKAGE / "kernels" / "compiled"}


def test_every_module_has_a_level():
    tops = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES}
    assert tops == set(RANK)


def test_importing_the_package_imports_nothing_heavy():
    import subprocess
    import sys

    code = "import deepreservoir, sys; print('numpy' in sys.modules, 'sklearn' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]


def test_public_names_are_importable():
    for name in deepreservoir.__all__:
        assert getattr(deepreservoir, name) is not None


def test_files_are_one_idea_each():
    roots = [PACKAGE, Path(__file__).parent, PACKAGE.parent / "benchmarks"]
    long = {
        str(path): lines
        for root in roots
        for path in root.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert not long
