"""CausalLanguageModel: texts and codes, scores, generation, files, searches, bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from target import device

from deepreservoir import CausalLanguageModel, Network, attach, fit_many, load, save
from deepreservoir.backend import to_host
from deepreservoir.estimators.base.next_tokens import NextTokens
from deepreservoir.estimators.text_generation import Sampler, generated
from deepreservoir.inputs import TokenReader, documents_of
from deepreservoir.layers import Pass, Step
from deepreservoir.models import DecoderConfig

SMALL = {
    "width": 8,
    "depth": 2,
    "heads": 2,
    "mlp_width": 12,
    "context": 6,
    "rank": 2,
    "max_iter": 2,
    "random_state": 0,
}
CODES = {**SMALL, "vocabulary_size": 7}
RNG = np.random.default_rng(0)
STREAM = np.cumsum(RNG.integers(0, 2, 90)) % 7
TEXTS = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog"] * 5
WORDS = {**SMALL, "vocabulary_size": 280}


def fitted(**changes):
    return CausalLanguageModel(**{**CODES, **changes}).fit(STREAM)


# Fitting ------------------------------------------------------------


def test_it_learns_texts_and_continues_them():
    pytest.importorskip("tokenizers")
    params = {**WORDS, "width": 32, "mlp_width": 48, "max_iter": 30, "learning_rate_init": 0.02}
    model = CausalLanguageModel(**params).fit(TEXTS)
    assert model.vocabulary_size_ <= 280
    assert model.perplexity(TEXTS) < 3
    assert model.perplexity(TEXTS) == pytest.approx(np.exp(-model.score(TEXTS)))
    assert model.generate("the dog sat", 20, temperature=0).startswith(" on the log")
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize("adapter", ["lora", "dora", "full", "none"])
def test_files_give_the_same_bits(adapter, tmp_path):
    model = fitted(adapter=adapter, adapt="all", warm_start=True)
    loaded = load(save(model, tmp_path / "model.safetensors"))
    assert loaded.get_params() == model.get_params() | {"device": loaded.device}
    assert loaded.score(STREAM) == model.score(STREAM)
    options = {"max_new_tokens": 20, "random_state": 3}
    assert_array_equal(loaded.generate([1, 2], **options), model.generate([1, 2], **options))
    for each in (model, loaded):
        each.fit(STREAM)
    assert_array_equal(to_host(loaded.network_.theta), to_host(model.network_.theta))


def test_files_and_pickles_of_texts(tmp_path):
    pytest.importorskip("tokenizers")
    model = CausalLanguageModel(**WORDS).fit(TEXTS)
    copies = [
        load(save(model, tmp_path / "model.safetensors")),
        pickle.loads(pickle.dumps(model)),
        attach(model, save(model, tmp_path / "other.safetensors")),
    ]
    for copy in copies:
        assert copy.score(TEXTS) == model.score(TEXTS)
        assert copy.generate("the", random_state=0) == model.generate("the", random_state=0)


def test_a_checkpoint_continues_with_the_same_bits(tmp_path):
    class Stop(Exception):
        pass

    def stop(state):
        if state.epoch == 1:
            raise Stop

    whole, path = fitted(max_iter=4), tmp_path / "checkpoint"
    with pytest.raises(Stop), pytest.warns(UserWarning, match="interrupted after 1 epochs"):
        CausalLanguageModel(**{**CODES, "max_iter": 4}).fit(STREAM, checkpoint=path, callback=stop)
    assert path.exists()
    again = CausalLanguageModel(**{**CODES, "max_iter": 4}).fit(STREAM, checkpoint=path)
    assert_array_equal(to_host(again.network_.theta), to_host(whole.network_.theta))


def test_held_out_windows_and_more_text():
    model = fitted(early_stopping=True, validation_fraction=0.3)
    assert model.best_validation_score_ == -min(model.history_["validation_loss"])
    model = CausalLanguageModel(**CODES).fit(STREAM, eval_set=(STREAM[:20], None))
    assert model.history_["validation_score"][-1] == pytest.approx(model.score(STREAM[:20]))
    parts = CausalLanguageModel(**CODES).partial_fit(STREAM[:50]).partial_fit(STREAM[50:])
    assert parts.t_ == 9 + 7
    with pytest.raises(ValueError, match=r"eval_set: X must hold codes from 0 to 6.*X\[1\] is 9"):
        CausalLanguageModel(**CODES).fit(STREAM, eval_set=(np.array([1, 9]), None))


def test_models_side_by_side_and_folds():
    models = [CausalLanguageModel(**{**CODES, "rank": rank}) for rank in (1, 2)]
    fit_many(models, STREAM, None)
    assert_array_equal(to_host(models[1].network_.theta), to_host(fitted().network_.theta))
    documents = [STREAM[:30], STREAM[30:60], STREAM[60:]]
    scores = cross_val_score(clone(models[0]), documents, cv=3)
    assert len(scores) == 3
    assert (scores < 0).all()


def test_models_side_by_side_read_an_iterator_once_for_all():
    pytest.importorskip("tokenizers")
    models = [CausalLanguageModel(**{**WORDS, "rank": rank}) for rank in (1, 2)]
    fit_many(models, iter(TEXTS), None)
    alone = CausalLanguageModel(**WORDS).fit(TEXTS)
    assert_array_equal(to_host(models[1].network_.theta), to_host(alone.network_.theta))


@pytest.mark.parametrize("weights", ["nonsense", np.ones(15)])
def test_models_side_by_side_take_no_weights(weights):
    with pytest.raises(ValueError, match="sample_weight must be None for a CausalLanguageModel"):
        fit_many([CausalLanguageModel(**CODES)], STREAM, None, weights)


def test_the_score_is_that_of_each_next_token():
    model = fitted(dtype="float64")
    network, nats, n = model.network_, 0.0, 0
    for start in range(0, 89, 6):
        window = STREAM[start : start + 7]
        x = network.on_device(window[None, :-1])
        logits = to_host(network.forward(x)[0])[0]
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        nats -= log_p[np.arange(len(log_p)), window[1:]].sum()
        n += len(log_p)
    assert n == 89
    assert model.score(STREAM) == pytest.approx(-nats / n, rel=1e-10)


def test_padding_has_no_influence_on_training():
    """A window that is padded has the gradient of the same window without padding."""
    grads = []
    for context in (4, 9):
        reader = TokenReader(context, 7).fit(STREAM[:5])
        batch = reader.read(STREAM[:5], np.float64, device).take(np.arange(1))
        assert ("kept" in batch.side) == (context == 9)
        targets = NextTokens(7)
        target = targets.take(None, None, batch, None)
        assert target.n == 4
        config = DecoderConfig(7, 8, 2, 2, 12, context, rank=2, b_init="kaiming", dtype="float64")
        network = Network(config, 0, device=device)
        network.gradient(batch, target, targets.loss, Pass(Step(0, 0)))
        grads.append(to_host(network.grad))
    np.testing.assert_allclose(*grads, rtol=1e-9, atol=1e-12)
    assert grads[0].any()


# Generation ------------------------------------------------------------


@pytest.mark.parametrize("prompt", [[3], [1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6, 0, 1]])
def test_generation_with_and_without_cached_keys_and_values(prompt):
    network = fitted(dtype="float64").network_
    found = []
    for cached in (True, False):
        stream = generated(network, prompt, 6, Sampler(1.0, 0.9, seed=5), cached)
        found.append([next(stream) for _ in range(25)])
    assert found[0] == found[1]
    assert len(set(found[0])) > 1


def test_generation_is_keyed_and_ends():
    model = fitted(end_token=6)
    first, again, other = (
        model.generate([1], 30, temperature=2.0, random_state=seed) for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert 6 not in first
    assert len(model.generate([1], 0)) == 0
    lengths = {len(model.generate([1], 30, 2.0, random_state=seed)) for seed in range(5)}
    assert min(lengths) < 30


def test_a_sampler_draws_from_the_nucleus():
    logits = np.log([0.5, 0.3, 0.15, 0.05])
    draws = [Sampler(top_p=0.7).draw(logits, i) for i in range(400)]
    assert set(draws) == {0, 1}
    assert abs(draws.count(0) / 400 - 0.5 / 0.8) < 0.1
    assert {Sampler(top_p=0.4).draw(logits, i) for i in range(20)} == {0}
    assert {Sampler().draw(logits, i) for i in range(400)} == {0, 1, 2, 3}
    assert Sampler(temperature=0).draw(logits, 0) == 0


def test_a_prompt_that_is_longer_than_the_context():
    model = fitted(dtype="float64")
    long = [0, 1, 2, 3, 4, 5, 6, 1, 2]
    with pytest.warns(UserWarning, match="9 tokens; the context is 6: only the last 6 are read"):
        cut = model.generate(long, 5, random_state=0)
    assert_array_equal(cut, model.generate(long[-6:], 5, random_state=0))
    with pytest.raises(ValueError, match=r"9 tokens; the context is 6. Shorten it"):
        model.generate(long, long_prompt="refuse")


# Input ------------------------------------------------------------


def test_a_text_file_may_begin_with_a_mark_of_the_byte_order(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("the cat sat", encoding="utf-8-sig")
    assert list(documents_of(path).pieces()) == [("the cat sat", True)]


def test_forms_of_texts(tmp_path):
    pytest.importorskip("tokenizers")
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{text}\n" for text in TEXTS), encoding="utf-8")
    one, listed = (CausalLanguageModel(**WORDS).fit(X) for X in (path, [path.read_text()]))
    assert_array_equal(to_host(one.network_.theta), to_host(listed.network_.theta))
    streamed, listed = (CausalLanguageModel(**WORDS).fit(X) for X in (iter(TEXTS), TEXTS))
    assert_array_equal(to_host(streamed.network_.theta), to_host(listed.network_.theta))
    assert listed.score(iter(TEXTS)) == listed.score(np.array(TEXTS)) == listed.score(TEXTS)


def test_forms_of_codes(tmp_path):
    np.save(tmp_path / "codes.npy", STREAM.astype(np.uint16))
    expected = fitted()
    parts = np.empty(2, object)
    parts[:] = [STREAM[:9], STREAM[9:]]
    for X in (tmp_path / "codes.npy", STREAM.tolist(), list(parts), parts):
        model = CausalLanguageModel(**CODES).fit(X)
        assert_array_equal(to_host(model.network_.theta), to_host(expected.network_.theta))
    ended = TokenReader(4, 7, end_token=6).fit([[1, 2], [3]]).read([[1, 2], [3]], "f4", "cpu")
    assert ended.stream.tolist() == [1, 2, 6, 3, 6]


def test_a_model_knows_whether_it_reads_texts():
    assert not fitted(max_iter=1).reads_texts_
    with pytest.raises(NotFittedError):
        CausalLanguageModel().reads_texts_  # noqa: B018


def test_a_prompt_that_is_not_text_is_named():
    pytest.importorskip("tokenizers")
    model = CausalLanguageModel(**{**WORDS, "max_iter": 1}).fit(TEXTS)
    assert model.reads_texts_
    with pytest.raises(ValueError, match=r"prompt must be a text that UTF-8 can represent"):
        model.generate("\udcff")


def test_presets():
    model = CausalLanguageModel("3M", vocabulary_size=32_000, rank=8)
    config = model.network_config(32_000)
    assert config == DecoderConfig.preset("3M", rank=8)
    assert config.n_params == 2_048_000 + 24_600


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([], "at least one text; got none"),
        (["a text", " "], r"X\[1\] is ' '"),
        (["a text", None], r"X\[1\] is None, of type NoneType"),
        ("one text", r"got a single text. Pass \[text\]"),
        (np.array([1, 7]), r"codes from 0 to 6, of a vocabulary of 7 tokens; X\[1\] is 7"),
        ([[1, 2], [0, -1]], r"X\[1\]\[1\] is -1"),
        ([[1, 2], []], r"X\[1\] must be the codes of a document"),
        (np.array([1.0, 2.0]), "vector of integers"),
        (np.array([1]), "at least 2 tokens.*got 1"),
        (3, "X must be texts, or codes of tokens; got 3"),
        (["a text", "b\udcff"], r"X\[1\] must be a text that UTF-8 can represent; its character 1"),
        ({"text": ["a text"]}, "texts in an order.*got a dict"),
        ({"a text", "another"}, "texts in an order.*got a set"),
    ],
)
def test_bad_input_is_named(X, words):
    pytest.importorskip("tokenizers")
    of_texts = isinstance(X, list) and not (X and isinstance(X[0], list))
    with pytest.raises(ValueError, match=words):
        CausalLanguageModel(**(WORDS if of_texts else CODES)).fit(X)


def test_a_vocabulary_without_a_token_for_every_byte_is_refused():
    pytest.importorskip("tokenizers")
    with pytest.raises(ValueError, match=r"vocabulary_size must be at least 257 for texts.*got 7"):
        CausalLanguageModel(**CODES).fit(["a text"])


def test_bad_files_are_named(tmp_path):
    for content, words in ((b"", "its beginning is empty"), (b"\xff\xfe\x00", "not a text file")):
        (tmp_path / "text.txt").write_bytes(content)
        with pytest.raises(ValueError, match=words):
            CausalLanguageModel(**WORDS).fit(tmp_path / "text.txt")
    with pytest.raises(ValueError, match="there is no file"):
        CausalLanguageModel(**WORDS).fit(tmp_path / "none.txt")
    (tmp_path / "codes.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"codes.npy is not a .npy file of integers"):
        CausalLanguageModel(**CODES).fit(tmp_path / "codes.npy")


def test_a_table_is_refused():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": TEXTS})
    with pytest.raises(ValueError, match=r"got a DataFrame. Pass a list, or the column"):
        CausalLanguageModel(**WORDS).fit(table)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"prompt": ""}, "at least one character"),
        ({"prompt": "text"}, "fitted on codes of tokens"),
        ({"prompt": []}, "at least one entry"),
        ({"prompt": [1, 7]}, "codes from 0 to 6; got 7 at position 1"),
        ({"prompt": [1], "temperature": -1}, "temperature"),
        ({"prompt": [1], "top_p": 0}, r"top_p must be in \(0, 1\]; got 0"),
        ({"prompt": [1], "max_new_tokens": -1}, "max_new_tokens"),
        ({"prompt": [1], "long_prompt": "skip"}, "long_prompt"),
    ],
)
def test_bad_prompts_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        fitted(max_iter=1).generate(**arguments)


@pytest.mark.parametrize(
    "params",
    [
        {"preset": "7B"},
        {"width": 6},
        {"context": 0},
        {"vocabulary_size": 1},
        {"end_token": 7},
        {"adapt": "mlp"},
        {"max_iter": 0},
    ],
)
def test_wrong_parameters_are_named(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        fitted(**params)


def test_an_encoding_that_is_not_one_is_refused():
    pytest.importorskip("tokenizers")
    reader = CausalLanguageModel(**WORDS).fit(TEXTS)._reader
    plain, arrays = reader.state()
    merges, text = arrays["merges"], reader.tokenizer.json
    for wrong in ("{", "[]", text.replace('"BPE"', '"Unigram"'), text.replace("<|end|>", "end")):
        with pytest.raises(ValueError, match="not a byte-level byte-pair encoding"):
            TokenReader.from_state({**plain, "tokenizer": wrong}, {})
    with pytest.raises(ValueError, match="the encoding has"):
        TokenReader.from_state({**plain, "vocabulary": 300}, arrays)
    with pytest.raises(ValueError, match="not by both"):
        TokenReader.from_state({**plain, "tokenizer": text}, arrays)
    doubled = np.uint16([(1, 1), *((code, code) for code in range(257, 268))])
    for wrong, words in (
        (merges.astype(np.float32), "must be uint16 of shape"),
        (merges[:, :1], "must be uint16 of shape"),
        (np.uint16([(1, 257)]), "merge 0 must be of codes from 1 to 256; got 1 and 257"),
        (np.uint16([(0, 5)]), "merge 0 must be of codes from 1 to 256; got 0 and 5"),
        (doubled, "makes a token of more than 1024 bytes"),
    ):
        with pytest.raises(ValueError, match=words):
            TokenReader.from_state(plain, {"merges": wrong})


def test_an_encoding_is_stored_as_its_merges():
    pytest.importorskip("tokenizers")
    reader = CausalLanguageModel(**WORDS).fit(TEXTS)._reader
    plain, arrays = reader.state()
    assert plain["tokenizer"] is None
    assert arrays["merges"].nbytes == 4 * (reader.vocabulary - 257)
    # Files of before have the encoding as text.
    for state in ((plain, arrays), ({**plain, "tokenizer": reader.tokenizer.json}, {})):
        again = TokenReader.from_state(*state)
        assert again.tokenizer.json == reader.tokenizer.json
        assert again.state()[0] == plain
        np.testing.assert_array_equal(again.state()[1]["merges"], arrays["merges"])


def test_an_encoding_that_merges_do_not_make_is_stored_as_text():
    pytest.importorskip("tokenizers")
    reader = CausalLanguageModel(**WORDS).fit(TEXTS)._reader
    text = reader.tokenizer.json.replace('"fuse_unk":false', '"fuse_unk":true')
    plain = {**reader.state()[0], "tokenizer": text}
    assert TokenReader.from_state(plain, {}).state() == (plain, {})


def test_text_that_reads_like_the_end_of_a_document_is_text():
    pytest.importorskip("tokenizers")
    model = CausalLanguageModel(**WORDS).fit(TEXTS)
    tokenizer = model._reader.tokenizer
    codes = tokenizer.encode("a<|end|>b")[0]
    assert 0 not in codes
    assert tokenizer.decode(codes) == "a<|end|>b"


@pytest.mark.parametrize("temperature", [1e-310, 1e-300, 0.0])
def test_the_smallest_temperatures_choose_the_most_probable_token(temperature):
    sampler = Sampler(temperature, seed=0)
    assert sampler.draw(np.array([1.0, -2.0, 3.0, 2.9]), 0) == 2
