"""Word pieces: their times, what they were trained on, and a pretrained tokenizer saved on the spot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from mmvideo.errors import InputError
from mmvideo.modalities.tokenizer import WordPieces
from mmvideo.store.subtitles import Word


def said(sentence: str) -> list[Word]:
    """One word a second."""
    return [Word(text, float(i), i + 1.0) for i, text in enumerate(sentence.split())]


TEXTS = [said("the fox chases the dog"), said("The dog follows the fox"), said("")]


@pytest.fixture(scope="module")
def tokenizer() -> WordPieces:
    return WordPieces.train(TEXTS, 200)


class TestTraining:
    def test_known_words_are_one_piece_in_either_case(self, tokenizer: WordPieces) -> None:
        ids, _ = tokenizer.encode(said("the dog FOX Chases"), 99)
        assert [tokenizer.tokenizer.id_to_token(i) for i in ids.tolist()] == ["the", "dog", "fox", "chases"]

    def test_padding_and_unknown_come_first(self, tokenizer: WordPieces) -> None:
        assert [tokenizer.tokenizer.id_to_token(i) for i in (0, 1)] == ["[PAD]", "[UNK]"]

    def test_it_knows_only_the_given_texts(self, tokenizer: WordPieces) -> None:
        assert tokenizer.encode(said("zebu"), 99)[0].tolist() == [1]
        letters = {
            piece.removeprefix("##")
            for piece in tokenizer.tokenizer.get_vocab()
            if len(piece.removeprefix("##")) == 1
        }
        assert letters == set("".join(word.text.lower() for text in TEXTS for word in text))

    def test_its_size_is_bounded(self) -> None:
        tokenizer = WordPieces.train(TEXTS, 40)
        assert tokenizer.size <= 40
        assert max(tokenizer.tokenizer.get_vocab().values()) == tokenizer.size - 1

    def test_without_any_text_everything_is_unknown(self) -> None:
        assert WordPieces.train([], 200).encode(said("fox"), 99)[0].tolist() == [1]

    def test_the_same_texts_give_the_same_pieces_in_every_process(self) -> None:
        found = {
            subprocess.run(
                [sys.executable, "-c", TRAIN_AGAIN], capture_output=True, text=True, check=True
            ).stdout
            for _ in range(2)
        }
        assert len(found) == 1

    def test_the_same_texts_give_the_same_pieces_again(self) -> None:
        vocabularies = [WordPieces.train(TEXTS, 200).tokenizer.get_vocab() for _ in range(8)]
        assert all(vocabulary == vocabularies[0] for vocabulary in vocabularies)

    def test_saved_and_loaded_it_is_the_same(self, tokenizer: WordPieces, tmp_path: Path) -> None:
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = WordPieces.load(tmp_path / "tokenizer.json")
        assert loaded.tokenizer.get_vocab() == tokenizer.tokenizer.get_vocab()
        for a, b in zip(loaded.encode(TEXTS[0], 99), tokenizer.encode(TEXTS[0], 99), strict=True):
            assert (a == b).all()


TRAIN_AGAIN = """
from mmvideo.store.subtitles import Word
from mmvideo.modalities.tokenizer import WordPieces
texts = [[Word(text, 0, 1) for text in "the fox chases the dog while the owl follows the cat".split()]]
print(sorted(WordPieces.train(texts, 200).tokenizer.get_vocab().items()))
"""


class TestEncoding:
    def test_a_piece_has_its_words_centre(self, tokenizer: WordPieces) -> None:
        ids, times = tokenizer.encode(said("the dog foxes"), 99)
        pieces = [tokenizer.tokenizer.id_to_token(i) for i in ids.tolist()]
        assert "".join(pieces).replace("##", "") == "thedogfoxes"
        assert len(pieces) > 3
        assert times.tolist() == [0.5, 1.5] + [2.5] * (len(pieces) - 2)
        assert (ids.dtype, times.dtype) == (np.int64, np.float32)

    def test_long_texts_are_cut(self, tokenizer: WordPieces) -> None:
        ids, times = tokenizer.encode(said("the dog the fox"), 2)
        assert len(ids) == len(times) == 2
        assert times.tolist() == [0.5, 1.5]

    def test_no_words_are_an_absent_text(self, tokenizer: WordPieces) -> None:
        ids, times = tokenizer.encode([], 99)
        assert ids.shape == times.shape == (0,)

    def test_words_of_which_nothing_remains_are_an_absent_text(self, tokenizer: WordPieces) -> None:
        ids, times = tokenizer.encode([Word("\u200b\x00", 0.0, 1.0)], 99)
        assert ids.shape == times.shape == (0,)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT-like tokenizer, with [CLS] and [SEP], as transformers saves it."""
    vocabulary = {
        piece: i for i, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "fox", "dog", "##s"])
    }
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = (
        normalizers.BertNormalizer(),
        pre_tokenizers.BertPreTokenizer(),
    )
    backend.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(
        folder
    )
    return folder


class TestPretrained:
    def test_pieces_that_belong_to_no_word_take_their_neighbours_time(self, saved: Path) -> None:
        ids, times = WordPieces.pretrained(str(saved)).encode(said("Foxs dog cat"), 99)
        assert ids.tolist() == [2, 4, 6, 5, 1, 3]
        assert times.tolist() == [0.5, 0.5, 0.5, 1.5, 2.5, 2.5]

    def test_its_size_is_the_models(self, saved: Path) -> None:
        assert WordPieces.pretrained(str(saved)).size == 7

    def test_a_length_that_its_file_cuts_or_fills_texts_to_is_not_taken(
        self, saved: Path, tmp_path: Path
    ) -> None:
        tokenizer = Tokenizer.from_file(str(saved / "tokenizer.json"))
        tokenizer.enable_truncation(4)
        tokenizer.enable_padding(length=9)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
        words = said("fox dog fox dog fox")
        ids, times = WordPieces.pretrained(str(tmp_path)).encode(words, 99)
        assert ids.tolist() == WordPieces.pretrained(str(saved)).encode(words, 99)[0].tolist()
        assert times.tolist() == [0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 4.5]

    def test_words_are_those_of_a_text_and_not_each_the_first_of_one(self, tmp_path: Path) -> None:
        tokenizer = Tokenizer(models.BPE({"fox": 0, "Ġ": 1, "Ġfox": 2, "f": 3, "o": 4, "x": 5, "fo": 6},
                                         [("f", "o"), ("fo", "x"), ("Ġ", "fox")]))  # fmt: skip
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
        ids, times = WordPieces.pretrained(str(tmp_path)).encode(said("fox fox foxfox"), 99)
        assert ids.tolist() == [0, 2, 2, 0]
        assert times.tolist() == [0.5, 1.5, 2.5, 2.5]

    def test_a_folder_without_a_tokenizer_is_refused(self, tmp_path: Path) -> None:
        BertConfig().save_pretrained(tmp_path)
        with pytest.raises(InputError, match=r"its folder holds no tokenizer; of tokenizer\.json, "):
            WordPieces.pretrained(str(tmp_path))

    def test_what_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"model '.*nothing': its tokenizer cannot be loaded"):
            WordPieces.pretrained(str(tmp_path / "nothing"))
