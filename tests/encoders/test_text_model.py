"""Pretrained text models on words: what their own tokenizer, network and pooling give; tiny random models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from planted_runs import small_inputs
from tiny_pretrained import ASK, SAID, TEXTS, edit, sentence_files, text_folder
from torch import Tensor

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.contract import encoders
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.data.collate import collate
from mmvideo.data.dataset import Sample
from mmvideo.data.run_data import RunData
from mmvideo.encoders.text_model import TextModel
from mmvideo.encoders.text_models import WindowModel
from mmvideo.errors import InputError
from mmvideo.modalities.text_windows import PROMPT, SPECIAL, TEXT
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.execute import execute
from mmvideo.store.encoded import EncodedClips
from mmvideo.store.subtitles import Word
from mmvideo.types import Tokens

Configure = Callable[..., RunConfig]
LINES = ("the fox runs", "who sees the fox with a dog ?", "it")


@pytest.fixture(scope="session", params=TEXTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return text_folder(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sentence_files(text_folder("bert", tmp_path_factory.mktemp("sentences")), "mean_tokens")


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instruction-tuned, as Qwen3-Embedding: the last piece's state, of length 1."""
    made = sentence_files(text_folder("qwen3", tmp_path_factory.mktemp("embedder")), "lasttoken")
    (made / "sentence_bert_config.json").unlink()
    return made


def said(sentence: str) -> list[Word]:
    """One word a second."""
    return [Word(text, float(i), i + 1.0) for i, text in enumerate(sentence.split())]


def chosen(folder: Path, **options: Any) -> TextModel.Config:
    return TextModel.Config.model_validate({"model": str(folder), "dropout": 0.0, **options})


def pieces(config: TextModel.Config, *texts: list[Word]) -> Tokens:
    """A batch of clips that say these."""
    needs = TextModel.needs(config)
    tokenizer = needs.tokenizer()
    given = [tokenizer.encode(words, needs.longest) for words in texts]
    samples = [Sample("", 0, {"text": (torch.from_numpy(v), torch.from_numpy(t))}) for v, t in given]
    return collate(samples).inputs["text"]


def made(config: TextModel.Config, *texts: list[Word]) -> Tokens:
    """The model's own tokens of each clip."""
    encoder = TextModel(config, 0, 8, frozenset({"stem"})).eval()
    with torch.no_grad():
        return encoder.tokens(pieces(config, *texts))


def own_states(folder: Path, texts: list[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """What the family's own tokenizer and network give of a padded batch."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    given = tokenizer(texts, padding=True, return_tensors="pt", return_special_tokens_mask=True)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        states = network(given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
    return states, dict(given)


def test_states_are_those_of_the_familys_own_tokenizer_and_network(folder: Path) -> None:
    states, given = own_states(folder, list(LINES))
    found = made(chosen(folder), *map(said, LINES))
    for row, line in enumerate(LINES):
        text = (given["attention_mask"][row] > 0) & (given["special_tokens_mask"][row] == 0)
        torch.testing.assert_close(found.values[row][found.mask[row]], states[row][text], rtol=0, atol=1e-5)
        assert set(found.time[row][found.mask[row]].tolist()) == {i + 0.5 for i in range(len(line.split()))}


def test_a_sentences_vector_is_what_its_folder_pools_and_norms(sentences: Path) -> None:
    states, given = own_states(sentences, list(LINES))
    shown = given["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((states * shown).sum(dim=1) / shown.sum(dim=1), dim=1)
    found = made(chosen(sentences, unit="clip"), *map(said, LINES))
    torch.testing.assert_close(found.values[:, 0], expected, rtol=0, atol=1e-5)
    assert found.time[:, 0].tolist() == [1.5, 4.0, 0.5]
    first = made(chosen(sentences, unit="clip", pooling="cls"), *map(said, LINES)).values[:, 0]
    torch.testing.assert_close(first, torch.nn.functional.normalize(states[:, 0], dim=1), rtol=0, atol=1e-5)
    assert (first - expected).abs().max() > 1e-2, "a default instead of the folder's pooling is seen"


@pytest.mark.parametrize(
    ("instruction", "before"),
    [(None, ""), ("query", ASK), ("plain", "Say: "), ("Is it good?", "Instruct: Is it good?\nQuery:")],
)
def test_an_instruction_tuned_embedder_gives_its_last_pieces_state(
    embedder: Path, instruction: str | None, before: str
) -> None:
    """Its own tokenizer pads on the left, so the last place is each text's own."""
    states, given = own_states(embedder, [before + line for line in LINES])
    assert given["attention_mask"][2, 0] == 0
    expected = torch.nn.functional.normalize(states[:, -1], dim=1)
    config = chosen(embedder, unit="clip", instruction=instruction, window=60)
    edit(embedder / "tokenizer_config.json", lambda file: file.update(model_max_length=60))
    torch.testing.assert_close(made(config, *map(said, LINES)).values[:, 0], expected, rtol=0, atol=1e-5)


def test_a_prompt_is_counted_as_the_folder_says(sentences: Path, tmp_path: Path) -> None:
    apart = sentence_files(text_folder("bert", tmp_path), "mean_tokens", include_prompt=False)
    given = {"unit": "clip", "instruction": "plain"}
    counted, left_out = (made(chosen(f, **given), said(SAID)).values[0, 0] for f in (sentences, apart))
    states, own = own_states(apart, ["say: " + SAID])
    prompt = len(
        transformers.AutoTokenizer.from_pretrained(apart)("say:", add_special_tokens=False)["input_ids"]
    )
    counts = own["attention_mask"].clone()
    counts[0, 1 : 1 + prompt] = 0
    mean = (states[0] * counts[0, :, None]).sum(dim=0) / counts.sum()
    torch.testing.assert_close(left_out, torch.nn.functional.normalize(mean, dim=0), rtol=0, atol=1e-5)
    assert (counted - left_out).abs().max() > 1e-2


class TestWindows:
    def test_a_long_text_becomes_windows_that_leave_nothing_out(self, folder: Path) -> None:
        whole, cut = (pieces(chosen(folder, window=w), said(SAID)) for w in (None, 9))
        ids, number, role = cut.values[0].unbind(dim=1)
        text = whole.values[0][whole.values[0, :, 2] == TEXT]
        assert torch.equal(ids[role == TEXT], text[:, 0])
        assert number.unique().tolist() == list(range(int(number.max()) + 1))
        sizes = torch.bincount(number)
        assert sizes.max() <= 9
        assert sizes.max() - sizes.min() <= 1
        special = [ids[(number == n) & (role == SPECIAL)].tolist() for n in number.unique()]
        assert special == [special[0]] * len(sizes)
        assert special[0]

    def test_each_window_stands_for_itself(self, sentences: Path) -> None:
        config = chosen(sentences, unit="clip", window=12)
        found = made(config, said(SAID))
        assert found.mask.sum() == 2
        half = made(config, said(" ".join(SAID.split()[:8])))
        torch.testing.assert_close(found.values[0, 0], half.values[0, 0], rtol=0, atol=1e-5)
        assert found.time[0].tolist() == [4.0, 11.5]

    def test_sentences_end_with_a_mark_or_a_pause(self, sentences: Path) -> None:
        words = [*said("it runs"), Word("who", 3.0, 4.0), Word("sees?", 4.0, 5.0), Word("dog", 5.0, 6.0)]
        tokenizer = TextModel.needs(chosen(sentences, unit="sentence")).tokenizer()
        texts = [[word.text for word in text] for text in tokenizer.texts(words)]
        assert texts == [["it", "runs"], ["who", "sees?"], ["dog"]]

    def test_the_prompt_stands_in_each_window_and_is_no_token(self, embedder: Path) -> None:
        config = chosen(embedder, instruction="plain", window=30)
        given = pieces(config, said(SAID)).values[0]
        number, role = given[:, 1], given[:, 2]
        assert torch.bincount(number[role == PROMPT]).tolist() == [5] * (int(number.max()) + 1)
        assert made(config, said(SAID)).mask.sum() == (role == TEXT).sum()

    def test_a_prompt_that_leaves_no_room_is_refused(self, embedder: Path) -> None:
        with pytest.raises(InputError, match="a window of 20 leaves no room for text"):
            pieces(chosen(embedder, instruction="query", window=20), said(SAID))


def case(folder: Path, **options: Any) -> Case:
    return encoder_case(TextModel, chosen(folder, **options))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    "options", [{"trunk": "transformer"}, {"unit": "clip", "layer": "weighted"}], ids=str
)
def test_contract(sentences: Path, options: dict[str, Any], training: bool) -> None:
    for promise in CONTRACT:
        promise(case(sentences, **options), training)


MAY_BREAK = (
    encoders.masks_and_times_are_consistent,
    encoders.padding_changes_nothing,
    encoders.alone_is_as_in_a_batch,
)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_what_a_family_may_break(folder: Path, training: bool) -> None:
    for promise in MAY_BREAK:
        promise(case(folder), training)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "max"])
def test_what_a_pooling_may_break(sentences: Path, pooling: str) -> None:
    for promise in MAY_BREAK:
        promise(case(sentences, unit="sentence", pooling=pooling), False)


def test_trained_models_keep_it_too(folder: Path) -> None:
    tuned = case(folder, frozen=False)
    encoders.alone_is_as_in_a_batch(tuned, True)
    encoders.every_parameter_gets_gradient(case(folder, tune={"blocks": 1}), True)


def _mean_of_all(self: WindowModel, states: Tensor, there: Tensor, prompt: Tensor) -> Tensor:
    return states.mean(dim=1)


def _last_place(self: WindowModel, states: Tensor, there: Tensor, prompt: Tensor) -> Tensor:
    return states[:, -1]


@pytest.mark.parametrize("pool", [_mean_of_all, _last_place])
def test_a_pooling_that_reads_padding_fails(
    embedder: Path, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WindowModel, "pool", pool)
    with pytest.raises(AssertionError, match="alone instead of in a batch"):
        encoders.alone_is_as_in_a_batch(case(embedder, unit="clip"), False)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_layers_states_are_those_of_the_network(sentences: Path, layer: int) -> None:
    network = transformers.AutoModel.from_pretrained(sentences).eval()
    given = transformers.AutoTokenizer.from_pretrained(sentences)(LINES[0], return_tensors="pt")
    with torch.no_grad():
        states = network(**given, output_hidden_states=True).hidden_states[layer]
    found = made(chosen(sentences, layer=layer), said(LINES[0]))
    torch.testing.assert_close(found.values[0], states[0, 1:-1], rtol=0, atol=1e-5)


class TestAhead:
    @staticmethod
    def reading(
        configure: Configure, folder: Path, text: dict[str, Any] | None = None, **options: Any
    ) -> RunConfig:
        encoder = EncoderChoice.of("text_model", model=str(folder), **options)
        inputs = {**small_inputs(), "text": Input.of("text", encoder, **(text or {}))}
        return configure(modalities=("text",), fusion=FusionChoice.of("single"), inputs=inputs)

    @staticmethod
    def ahead(config: RunConfig) -> tuple[RunData, EncodedClips]:
        data = RunData.open(config)
        data.source.kept.clear()
        encode_ahead(data, torch.device("cpu"))
        encoded = data.modalities["text"].encoded
        assert encoded is not None
        return data, encoded

    @pytest.mark.parametrize("unit", ["words", "clip"])
    def test_what_is_cached_is_what_words_give(
        self, configure: Configure, sentences: Path, unit: str
    ) -> None:
        config = self.reading(configure, sentences, unit=unit)
        cached = collate([self.ahead(config)[0].dataset("test")[0]]).inputs["text"]
        read = RunData.open(self.reading(configure, sentences, unit=unit, cached=False))
        inputs = collate([read.dataset("test")[0]]).inputs["text"]
        options = config.inputs["text"].encoder.options
        encoder = TextModel(options, 0, 8, frozenset({"stem"})).eval()
        with torch.no_grad():
            found = encoder.tokens(inputs)
        torch.testing.assert_close(cached.values, found.values)
        torch.testing.assert_close(cached.time, found.time)

    def test_another_pooling_tokenizer_or_window_is_computed_anew(
        self, configure: Configure, sentences: Path
    ) -> None:
        named: list[str] = []

        def ahead(**options: Any) -> None:
            config = self.reading(configure, sentences, unit="clip", **options)
            text = RunData.open(config).modalities["text"]
            made = TextModel.encode_ahead(config.inputs["text"].encoder.options, text, torch.device("cpu"))
            assert made is not None
            named.append(json.dumps(made.made_by))

        ahead()
        ahead()
        assert len(set(named)) == 1
        for options in ({"pooling": "cls"}, {"window": 9}, {"layer": 1}, {"instruction": "plain"}):
            ahead(**options)
        tokenizer = (sentences / "tokenizer.json").read_text()
        edit(sentences / "tokenizer.json", lambda file: file["model"].update(max_input_chars_per_word=7))
        ahead()
        (sentences / "tokenizer.json").write_text(tokenizer)
        assert len(set(named)) == 6

    def test_a_run_trains_on_them(self, configure: Configure, sentences: Path, tmp_path: Path) -> None:
        assert (execute(self.reading(configure, sentences), root=tmp_path) / "result.json").exists()

    def test_words_that_are_left_out_in_training_are_not_cached(
        self, configure: Configure, sentences: Path
    ) -> None:
        dropping = {"word_dropout": 0.2}
        data = RunData.open(self.reading(configure, sentences, dropping))
        encode_ahead(data, torch.device("cpu"))
        assert data.modalities["text"].encoded is None
        with pytest.raises(InputError, match="set word_dropout to 0, or cached to False"):
            self.reading(configure, sentences, dropping, cached=True)


class TestRefused:
    def refused(self, match: str, **options: Any) -> None:
        with pytest.raises(InputError, match=match):
            TextModel.refuse_unusable(TextModel.Config(**options))

    def test_no_model_and_no_folder(self, tmp_path: Path) -> None:
        self.refused("needs its option `model`")
        self.refused("there is no such folder", model=str(tmp_path / "bart"))
        self.refused("has no config.json", model=str(tmp_path))

    def test_a_folder_without_a_tokenizer(self, tmp_path: Path) -> None:
        (text_folder("bert", tmp_path) / "tokenizer.json").unlink()
        self.refused("its folder holds no tokenizer", model=str(tmp_path))

    def test_a_folder_that_does_not_say_how_it_pools(self, tmp_path: Path) -> None:
        text_folder("bert", tmp_path)
        self.refused("does not say how states become one vector", model=str(tmp_path), unit="clip")
        TextModel.refuse_unusable(TextModel.Config(model=str(tmp_path), unit="clip", pooling="mean"))

    @pytest.mark.parametrize("pooled", [{"pooling_mode_cls_token": True}, {"pooling_mode": "weightedmean"}])
    def test_a_pooling_that_is_not_understood(self, tmp_path: Path, pooled: dict[str, Any]) -> None:
        sentence_files(text_folder("bert", tmp_path), "mean_tokens", **pooled)
        self.refused("what is understood is one of", model=str(tmp_path), unit="sentence")

    def test_modules_that_are_not_understood(self, tmp_path: Path) -> None:
        sentence_files(text_folder("bert", tmp_path), "mean_tokens")
        modules = json.loads((tmp_path / "modules.json").read_text())
        modules.append({"type": "sentence_transformers.models.Dense", "path": "3_Dense"})
        (tmp_path / "modules.json").write_text(json.dumps(modules))
        self.refused("modules.json has Dense", model=str(tmp_path), unit="clip")
        (tmp_path / "modules.json").write_text("{")
        with pytest.raises(InputError, match="is no JSON"):
            TextModel.refuse_unusable(TextModel.Config(model=str(tmp_path), unit="clip", window=7))

    def test_a_prompt_that_the_folder_lacks(self, sentences: Path) -> None:
        self.refused("prompt of .*'qery'", model=str(sentences), instruction="qery")

    def test_a_window_wider_than_the_model_reads(self, sentences: Path) -> None:
        self.refused("window 25 is more than the 24 word pieces", model=str(sentences), window=25)

    def test_a_model_that_needs_code_from_the_hub(self, tmp_path: Path) -> None:
        text_folder("bert", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(auto_map={"AutoModel": "mine.Model"}))
        self.refused("needs code that comes with it", model=str(tmp_path))

    def test_another_kind_of_model(self, tmp_path: Path) -> None:
        transformers.ViTConfig().save_pretrained(tmp_path)
        self.refused(r"kind 'vit', which reads image", model=str(tmp_path))

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        text_folder("bert", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(num_hidden_layers=3))
        with pytest.raises(InputError, match="do not fit BertModel: 16 are missing"):
            TextModel(chosen(tmp_path), 0, 8, frozenset({"stem"}))
        edit(tmp_path / "config.json", lambda file: file.update(num_hidden_layers=2))
        with pytest.raises(InputError, match=r"knows \d+ word pieces, its tokenizer 999"):
            TextModel(chosen(tmp_path), 999, 8, frozenset({"stem"}))
        with pytest.raises(InputError, match=r"got layer 3"):
            TextModel(chosen(tmp_path, layer=3), 0, 8, frozenset({"stem"}))

    def test_weights_that_would_be_unpickled(self, tmp_path: Path) -> None:
        text_folder("bert", tmp_path)
        torch.save(
            transformers.AutoModel.from_pretrained(tmp_path).state_dict(), tmp_path / "pytorch_model.bin"
        )
        (tmp_path / "model.safetensors").unlink()
        with pytest.raises(InputError, match="neither a local folder nor a hub name that loads"):
            TextModel(chosen(tmp_path), 0, 8, frozenset({"stem"}))

    def test_options_that_contradict_each_other(self) -> None:
        with pytest.raises(ValueError, match="cached is for a model that does not change"):
            TextModel.Config(cached=True, frozen=False)
        with pytest.raises(ValueError, match="layer 1 is for a model that does not change"):
            TextModel.Config(layer=1, frozen=False)


def test_weights_in_half_precision_are_computed_with_in_single(tmp_path: Path) -> None:
    text_folder("bert", tmp_path)
    transformers.AutoModel.from_pretrained(tmp_path).half().save_pretrained(tmp_path)
    assert made(chosen(tmp_path), said(SAID)).values.dtype == torch.float32
    assert TextModel(chosen(tmp_path), 0, 8, frozenset({"stem"})).model.network.dtype == torch.float32


SHARED = Path(__file__).parents[3] / "shared" / "data" / "cmu_mosi_features" / "transcripts.csv"
MINILM = Path(os.environ.get("MMVIDEO_WEIGHTS", "absent")) / "minilm"


@pytest.mark.skipif(not (SHARED.exists() and MINILM.exists()), reason="no shared data, or no MMVIDEO_WEIGHTS")
def test_agreement_with_minilm_on_transcripts() -> None:
    lines = [line.split('","')[1] for line in SHARED.read_text().splitlines()[:60]]
    states, given = own_states(MINILM, lines)
    shown = given["attention_mask"][..., None]
    expected = torch.nn.functional.normalize((states * shown).sum(dim=1) / shown.sum(dim=1), dim=1)
    found = made(chosen(MINILM, unit="clip"), *map(said, lines))
    torch.testing.assert_close(found.values[:, 0], expected, rtol=0, atol=1e-4)
