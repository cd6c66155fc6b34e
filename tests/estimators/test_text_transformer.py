"""TextTransformerClassifier: texts and codes, files, searches, checkpoints, and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from deepreservoir import (
    ArtifactError,
    RankSearch,
    TextTransformerClassifier,
    attach,
    fit_many,
    load,
    predict_many,
    save,
)
from deepreservoir.analysis import cost_of
from deepreservoir.inputs import WordPieces

pytestmark = [
    pytest.mark.host(reason="tests/device/test_text_devices.py compares device and host"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

# The label is the first code; lengths differ.
CODES = [[i % 3, *((i + 2 * j) % 7 for j in range(i % 5))] for i in range(45)]
Y = np.array(["zero", "one", "two"] * 15)
PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "the",
    "fine",
    "dull",
    "film",
    "story",
    "##s",
    "!",
]
TEXTS = ["A fine film!", "a dull story", "fine films, stories", "the dull, dull film"] * 6
GOOD = np.array([True, False] * 12)

QUICK = {
    "width": 8,
    "depth": 1,
    "heads": 2,
    "max_length": 6,
    "mlp_ratio": 2,
    "rank": 2,
    "vocabulary_size": 7,
    "max_iter": 12,
    "batch_size": 16,
    "learning_rate_init": 0.05,
    "dropout": 0.0,
    "random_state": 0,
}


def quick(**options):
    return TextTransformerClassifier(**QUICK | options)


def of_texts(**options):
    return quick(**{"vocabulary": PIECES, "max_length": 10, **options})


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(CODES, Y)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({}, 0.9),
        ({"adapter": "dora", "embeddings": "adapted", "adapt": "all"}, 0.7),
        ({"adapter": "full", "label_smoothing": 0.1}, 0.9),
        ({"embeddings": "frozen", "dropout": 0.1, "scaffold": "binary", "storage": "packed"}, 0.5),
    ],
)
def test_it_learns_and_goes_on_after_loading(options, least, tmp_path):
    model = quick(warm_start=True, class_weight="balanced", **options)
    model.fit(CODES, Y, sample_weight=1.0 + (Y == "one"))
    assert model.score(CODES, Y) > least
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert loaded.get_params() == model.get_params()
    assert_array_equal(loaded.predict_proba(CODES), model.predict_proba(CODES))
    for each in (model, loaded):
        each.fit(CODES, Y)
    assert_array_equal(loaded.network_.theta, model.network_.theta)


def test_word_pieces_travel_in_the_file(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n")
    model = of_texts(vocabulary=path).fit(TEXTS, GOOD)
    assert model.score(TEXTS, GOOD) > 0.9
    assert_array_equal(
        model.encode(["a fine films", "?"]), [[2, 4, 6, 8, 10, 3], [2, 1, 3, -1, -1, -1]]
    )
    path.unlink()
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert loaded.vocabulary is None
    assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert_array_equal(loaded.predict_proba(model.encode(TEXTS)), model.predict_proba(TEXTS))
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(TEXTS), model.predict(TEXTS))


def test_byte_pairs_are_trained_in_fit_and_travel_in_the_file(tmp_path):
    pytest.importorskip("tokenizers")
    model = quick(vocabulary_size=265, max_length=24).fit(np.array(TEXTS, object), GOOD)
    assert model.network_.config.vocabulary <= 265
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert_array_equal(loaded.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert loaded.predict_proba(["naïve 電影"]).shape == (1, 2)  # every byte has a token


def test_the_forms_of_codes_give_the_same_predictions(fitted):
    expected = fitted.predict_proba(CODES)
    longest = max(map(len, CODES))
    padded = np.array([row + [-1] * (longest - len(row)) for row in CODES])
    for X in (padded, padded.tolist(), [np.array(row, np.uint16) for row in CODES]):
        assert_array_equal(fitted.predict_proba(X), expected)
    assert_array_equal(fitted.encode(CODES), padded)
    some = fitted.predict_proba(CODES[3:5])
    np.testing.assert_allclose(some, expected[3:5], rtol=1e-5)


def test_pad_tokens_of_a_vocabulary_end_a_text():
    model = quick(vocabulary=PIECES).fit([[4, 5], [6, 7, 0], [8, 0, 9]], [0, 1, 1])
    assert_array_equal(model.encode([[6, 7, 0, 0], [8, 0, 9, -1]]), [[6, 7, -1], [8, 0, 9]])
    with pytest.raises(ValueError, match=r"X\[1\] has no tokens: all of its codes are padding"):
        model.predict([[4], [0, 0]])


def test_one_class_labels_and_several_labels_per_text():
    assert quick(max_iter=1).fit(CODES, np.zeros(45)).predict(CODES[:2]).tolist() == [0, 0]
    several = np.stack([Y == "one", Y != "two"], axis=1).astype(int)
    assert quick().fit(CODES, several).predict(CODES).shape == (45, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.2, "adapter_dropout": 0.2, "recompute": True},
        {"early_stopping": True, "validation_fraction": 0.2},
        {"resample": "epoch", "embeddings": "frozen"},
        {"batch_size": 64},  # one batch: equal texts are merged
    ],
)
def test_options_are_repeatable_and_survive_a_file(options, tmp_path):
    models = [quick(max_iter=3, **options).fit(CODES, Y) for _ in range(2)]
    assert_array_equal(models[0].network_.theta, models[1].network_.theta)
    loaded = load(save(models[0], tmp_path / "model.safetensors"))
    assert_array_equal(loaded.predict_proba(CODES), models[0].predict_proba(CODES))


def test_a_checkpoint_continues_with_the_same_bits(tmp_path):
    def stop(end):
        if end.epoch == 2:
            raise KeyError("stopped")

    path = tmp_path / "checkpoint"
    with pytest.raises(KeyError), pytest.warns(UserWarning, match="interrupted"):
        quick(dropout=0.1, max_iter=4).fit(CODES, Y, checkpoint=path, callback=stop)
    assert path.exists()
    resumed = quick(dropout=0.1, max_iter=4).fit(CODES, Y, checkpoint=path)
    whole = quick(dropout=0.1, max_iter=4).fit(CODES, Y)
    assert_array_equal(resumed.network_.theta, whole.network_.theta)


def test_searches_pipelines_and_folds():
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    assert cross_val_score(quick(), CODES, Y, cv=cv).mean() > 0.6
    model = quick(max_iter=2)
    search = RankSearch(model, eps=1.0, ranks=(1, 2), cv=2, n_seeds=1, random_state=0)
    assert search.fit(CODES, Y).rank_ == 1
    grid = GridSearchCV(model, {"adapt": ["attention", "all"]}, cv=2).fit(CODES, Y)
    assert_array_equal(pickle.loads(pickle.dumps(grid)).predict(CODES), grid.predict(CODES))
    steps = make_pipeline(FunctionTransformer(), quick(max_iter=2)).fit(CODES, Y)
    assert_array_equal(steps.predict(CODES), quick(max_iter=2).fit(CODES, Y).predict(CODES))


def test_side_by_side_attach_and_predict_many(tmp_path):
    models = [quick(rank=r, adapter=a, max_iter=3) for r, a in ((1, "lora"), (2, "dora"))]
    alone = [clone(model).fit(CODES, Y) for model in models]
    for together, one in zip(fit_many(models, CODES, Y), alone, strict=True):
        assert_array_equal(together.network_.theta, one.network_.theta)
    names = np.arange(45) % 2
    expected = np.where(names == 0, alone[0].predict(CODES), alone[1].predict(CODES))
    assert_array_equal(predict_many(dict(enumerate(models)), CODES, names), expected)
    other = quick(rank=2, max_iter=3, learning_rate_init=0.01).fit(CODES, Y)
    path = save(other, tmp_path / "model.safetensors")
    same = quick(max_iter=1).fit(CODES, Y)
    assert_array_equal(attach(same, path).predict(CODES), other.predict(CODES))


@pytest.mark.parametrize("with_pieces", [True, False])
def test_models_with_other_encodings_are_refused_in_few_words(with_pieces):
    pytest.importorskip("tokenizers")
    more = [*PIECES, *(f"word{i}" for i in range(2000))]
    given = [{"vocabulary": pieces} for pieces in (PIECES, more)]
    if not with_pieces:
        given = [{"vocabulary": None, "vocabulary_size": size} for size in (270, 275)]
    models = [of_texts(max_iter=1, scaffold_seed=1, **each) for each in given]
    with pytest.raises(ValueError, match="must read X alike; got vocabulary") as caught:
        fit_many(models, TEXTS, GOOD)
    assert len(str(caught.value)) < 400
    fitted = {i: model.fit(TEXTS, GOOD) for i, model in enumerate(models)}
    words = r"models must read the same X; for 0 and 1, vocabulary is \d+ and \d+; "
    with pytest.raises(ValueError, match=words) as caught:
        predict_many(fitted, TEXTS, [0] * len(TEXTS))
    assert len(str(caught.value)) < 400


def test_partial_fit_and_costs():
    model = quick().partial_fit(CODES, Y, ["one", "two", "zero"])
    theta = model.network_.theta.copy()
    assert (model.partial_fit(CODES[:9], Y[:9]).network_.theta != theta).any()
    cost = cost_of(model, rows=100, epochs=2)
    assert cost.n_frozen == 8 * 8 * (4 + 2 * 2)
    assert cost.n_trained == model.n_trained_params_ == (7 + 6) * 8 + 4 * (16 * 2 + 1) + 9 * 3


# Long texts and bad input ------------------------------------------------------------


def test_long_texts_are_cut_with_one_warning_or_refused(fitted):
    long = [[1, 2], [0, 1, 2, 3, 4, 5, 6], [2] * 9]
    words = r"2 of 3 texts have more than max_length=6 tokens; the longest is X\[2\], with 9"
    with pytest.warns(UserWarning, match=words) as caught:
        found = fitted.predict_proba(long)
    assert len(caught) == 1
    assert_array_equal(found, fitted.predict_proba([row[:6] for row in long]))
    with pytest.raises(ValueError, match=words + r", and the first is X\[1\]"):
        quick(long_texts="refuse").fit(long, [0, 1, 1])


def test_long_texts_that_are_set_later_are_refused_from_then_on(tmp_path):
    model, long = quick(max_iter=1).fit(CODES, Y), [[2] * 9]
    loaded = load(save(model, tmp_path / "model.safetensors"))
    for each in (model, loaded):
        each.set_params(long_texts="refuse")
        for call in (each.predict, each.encode, lambda X, m=each: m.partial_fit(X, ["one"])):
            with pytest.raises(ValueError, match=r"X\[0\]\. Shorten them"):
                call(long)
        again = load(save(each.partial_fit(CODES, Y), tmp_path / "again.safetensors"))
        with pytest.raises(ValueError, match=r"X\[0\]\. Shorten them"):
            again.predict(long)
    with pytest.raises(ValueError, match="long_texts must be one of"):
        model.set_params(long_texts="drop").predict(CODES)


def test_training_continues_only_with_the_vocabulary_of_the_fit(tmp_path):
    pytest.importorskip("tokenizers")
    model = of_texts(max_iter=1).fit(TEXTS, GOOD)
    loaded = load(save(model, tmp_path / "model.safetensors"))
    for each in (model, loaded):
        each.partial_fit(TEXTS, GOOD)
        each.set_params(vocabulary=tuple(PIECES), vocabulary_size=9).partial_fit(TEXTS, GOOD)
        with pytest.raises(ValueError, match=r"can only continue .* vocabulary: .* -> "):
            each.set_params(vocabulary=[*PIECES, "more"]).partial_fit(TEXTS, GOOD)
    with pytest.raises(ValueError, match=r"can only continue .* vocabulary: .* -> None"):
        model.set_params(vocabulary=None).partial_fit(TEXTS, GOOD)
    pairs = of_texts(max_iter=1, vocabulary=None, vocabulary_size=280).fit(TEXTS, GOOD)
    with pytest.raises(ValueError, match=r"can only continue .* vocabulary: None -> "):
        pairs.set_params(vocabulary=PIECES).partial_fit(TEXTS, GOOD)


def test_a_text_that_is_cut_keeps_its_end_token():
    pytest.importorskip("tokenizers")
    model = of_texts(max_length=5, max_iter=1)
    with pytest.warns(UserWarning, match="have more than max_length=5 tokens"):
        model.fit(TEXTS, GOOD)
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        codes = model.encode(["a fine fine film story", "a"])
    assert_array_equal(codes, [[2, 4, 6, 6, 3], [2, 4, 3, -1, -1]])


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (["a film", " \n"], r"texts that are not empty; X\[1\] is"),
        (["a film", None], r"X must hold texts \(str\); X\[1\] is None"),
        (["a film", "\x00\x01"], r"X\[1\] has no tokens"),
        ("a film", "got a single text. Pass"),
        ([], "at least one text; got none"),
        (7, "a list of texts, or of the codes of each; got int"),
        ({"a film", "a story"}, "X must be texts in an order.*; got a set. Pass a list"),
        ({"a film": 1, "a story": 0}, "X must be texts in an order.*; got a dict. Pass a list"),
        ([3, 4], "one vector of codes. Pass"),
        ([[4], []], r"X\[1\] must be the codes of a document"),
        ([[4], [5.5]], r"X\[1\] must be the codes of a document"),
        ([[4], [5, 12]], r"codes from 0 to 11.*X\[1\]\[1\] is 12"),
        ([[4], [-2, 5]], r"codes from 0 to 11.*X\[1\]\[0\] is -2"),
        ([[4], [-1, -1]], r"X\[1\] has no tokens: all of its codes are padding"),
        (np.array([["a", "film"], ["a", "story"]]), "a table of 2 columns"),
    ],
)
def test_refused_texts_are_named(X, words):
    pytest.importorskip("tokenizers")
    with pytest.raises(ValueError, match=words):
        of_texts().fit(X, [0, 1])
    model = of_texts(max_iter=1).fit(["a film", "a story"], [0, 1])
    with pytest.raises(ValueError, match=words):
        model.predict(X)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lacks|one token on each line"),
        (b"a\nb\n", r"lacks \[UNK\], \[PAD\], \[CLS\], \[SEP\]"),
        ("\n".join([*PIECES, "film"]).encode(), "token 13: 'film' is token 9 already"),
        (
            "\n".join([*PIECES, "two words"]).encode(),
            "token 13: .* without spaces; got 'two words'",
        ),
        ("\n".join([*PIECES, "", "x"]).encode(), "token 13: .*got ''"),
        (b"\xff\xfe\x00", "a text file in UTF-8"),
        (b'{"model": {"type": "WordPiece"}}', "without spaces"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(content, words, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        of_texts(vocabulary=str(path)).fit(TEXTS, GOOD)
    assert str(path) in str(caught.value)


def test_a_vocabulary_may_begin_with_a_mark_of_the_byte_order(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES), encoding="utf-8-sig")
    assert WordPieces.of(path).tokens == tuple(PIECES)


def test_a_token_that_utf_8_cannot_represent_is_refused():
    with pytest.raises(ValueError, match=r"vocabulary, token 13 must be a text that UTF-8 can"):
        of_texts(vocabulary=[*PIECES, "\ud800"]).fit(TEXTS, GOOD)


class Arrow:
    """Texts of a library whose to_numpy() refuses to copy, as that of pyarrow does."""

    def __len__(self):
        return len(TEXTS)

    def to_numpy(self):
        raise TypeError("needed to copy")

    def __array__(self, dtype=None, copy=None):
        return np.array(TEXTS, object)


def test_texts_of_other_libraries_are_copied():
    pytest.importorskip("tokenizers")
    model = of_texts(max_iter=1)
    expected = clone(model).fit(TEXTS, GOOD).predict_proba(TEXTS)
    assert_array_equal(model.fit(Arrow(), GOOD).predict_proba(Arrow()), expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vocabulary": "/no/such/vocab.txt"}, "there is no file /no/such/vocab.txt"),
        ({"vocabulary": 3}, "vocabulary must be the path of a file"),
        ({"vocabulary": PIECES, "max_length": 2}, "max_length must be at least 3"),
        ({"vocabulary_size": 0}, "vocabulary_size must be an integer"),
        ({"long_texts": "drop"}, "long_texts must be one of"),
        ({"embeddings": "fixed"}, "embeddings must be one of"),
        ({"heads": 3}, "width must be divisible by heads"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"rank": 9}, "rank must be between 1 and"),
    ],
)
def test_refused_parameters(options, words):
    with pytest.raises(ValueError, match=words):
        quick(**options).fit(CODES, Y)


def test_texts_need_a_vocabulary_of_all_bytes_or_the_one_of_fit(fitted):
    with pytest.raises(ValueError, match="vocabulary_size must be at least 257 for texts"):
        quick().fit(TEXTS, GOOD)
    with pytest.raises(ValueError, match="was fitted on codes of tokens"):
        fitted.predict(TEXTS)
    with pytest.raises(NotFittedError):
        quick().encode(CODES)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y to be passed"),
        (Y[:3], "one row for each of 45 texts"),
        (np.linspace(0, 1, 45), "must hold class labels"),
    ],
)
def test_refused_targets(y, words):
    with pytest.raises(ValueError, match=words):
        quick().fit(CODES, y)


def test_a_damaged_reader_is_refused(fitted, tmp_path):
    from deepreservoir.inputs import TextReader

    plain, _ = fitted._reader.state()
    for changes, words in (
        ({"word_pieces": "a\nb"}, "lacks"),
        ({"word_pieces": 3}, "word_pieces must be a text"),
        ({"byte_pairs": "{}"}, "not a byte-level"),
        ({"max_length": 0}, "max_length must be"),
        ({"word_pieces": "\n".join(PIECES)}, "the encoding has 12 tokens; the reader has 7"),
    ):
        with pytest.raises(ValueError, match=words):
            TextReader.from_state(plain | changes, {})
    with pytest.raises(ValueError, match="the state of a reader of texts"):
        TextReader.from_state({"vocabulary": 3}, {})


def test_what_cannot_be_saved(fitted, tmp_path):
    bad = clone(fitted).set_params(class_weight={"one": object()})
    with pytest.raises((ArtifactError, NotFittedError)):
        save(bad, tmp_path / "model")
