"""``deepreservoir generate``."""

import pytest
from click.testing import CliRunner

from deepreservoir import CausalLanguageModel, DeepReservoirClassifier, save
from deepreservoir.cli import main

pytest.importorskip("tokenizers")

TEXTS = ["the cat sat on the mat", "the dog sat on the log"] * 5


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small = {"width": 8, "depth": 1, "heads": 2, "mlp_width": 8, "context": 8, "rank": 2}
    model = CausalLanguageModel(**small, vocabulary_size=280, max_iter=2, random_state=0)
    other = DeepReservoirClassifier((4,), rank=1, max_iter=1, random_state=0)
    other.fit([[0.0], [1.0]] * 10, [0, 1] * 10)
    codes = CausalLanguageModel(**small, vocabulary_size=5, max_iter=1, random_state=0)
    codes.fit([0, 1, 2, 3, 4] * 5)
    return {
        "codes": (save(codes, folder / "codes.safetensors"), codes),
        "text": (save(model.fit(TEXTS), folder / "text.safetensors"), model),
        "other": (save(other, folder / "other.safetensors"), other),
    }


def run(*arguments):
    return CliRunner().invoke(main, ["generate", *map(str, arguments)])


def test_it_prints_the_prompt_and_what_the_model_generates(files):
    path, model = files["text"]
    options = ("--prompt", "the dog", "--max-new-tokens", 5, "--temperature", 0.5, "--seed", 3)
    result = run(path, *options, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert result.output == f"the dog{model.generate('the dog', 5, 0.5, random_state=3)}\n"
    greedy = run(path, "--prompt", "the", "--temperature", 0, "--top-p", 0.5)
    assert greedy.output == run(path, "--prompt", "the", "--temperature", 0).output


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("text", ("--prompt", ""), "at least one character"),
        ("text", (), "Missing option '--prompt'"),
        ("text", ("--prompt", "a", "--top-p", "0"), "--top-p"),
        ("text", ("--prompt", "a", "--temperature", "-1"), "--temperature"),
        ("text", ("--prompt", "\udcff"), "prompt must be a text that UTF-8 can represent"),
        (
            "codes",
            ("--prompt", "a"),
            "was fitted on codes of tokens, and has no encoding",
        ),
        ("other", ("--prompt", "a"), "holds a DeepReservoirClassifier"),
    ],
)
def test_what_it_refuses(files, name, options, words):
    result = run(files[name][0], *options)
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_long_prompt_is_cut_with_a_warning(files):
    prompt = "the cat " * 9
    with pytest.warns(UserWarning, match="the context is 8: only the last 8 are read"):
        result = run(files["text"][0], "--prompt", prompt, "--max-new-tokens", 1)
    assert result.exit_code == 0
    assert result.output.startswith(prompt)


def test_the_missing_library_is_named(files, monkeypatch):
    monkeypatch.setattr("deepreservoir.inputs.byte_pairs.find_spec", lambda name: None)
    result = run(files["text"][0], "--prompt", "a")
    assert result.exit_code == 1
    assert "pip install 'deepreservoir[text]'" in result.output
