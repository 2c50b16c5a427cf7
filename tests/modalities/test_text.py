"""Which words a sample shows, in which order and when; words left out in training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from clip_datasets import arrays_as_source, inputs, make_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_pretrained import text_folder

from mmvideo.clips.manifest import Clip
from mmvideo.components import EncoderChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.opened import make_modality
from mmvideo.errors import InputError
from mmvideo.modalities.base import ClipSource, View, Window
from mmvideo.modalities.text import THROUGHOUT, Text, drop_words
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.subtitles import Word


class TestDropWords:
    WORDS = tuple(Word(f"w{i}", float(i), i + 1.0) for i in range(50))

    def test_leaves_out_the_asked_share_in_order(self) -> None:
        counts = []
        for seed in range(100):
            kept = drop_words(self.WORDS, 0.3, seed)
            assert kept == sorted(kept, key=lambda word: word.start)
            counts.append(len(kept))
        assert np.mean(counts) == pytest.approx(35, abs=1.5)

    @settings(max_examples=50)
    @given(st.integers(0, 2**40), st.floats(0, 0.999), st.integers(1, 5))
    def test_never_leaves_nothing(self, seed: int, probability: float, count: int) -> None:
        kept = drop_words(self.WORDS[:count], probability, seed)
        assert 1 <= len(kept) <= count
        assert kept == drop_words(self.WORDS[:count], probability, seed)

    def test_nothing_stays_nothing(self) -> None:
        assert drop_words((), 0.5, 1) == []


def text(source: ClipSource | None = None, learnt: Path | None = None, **options: Any) -> Text:
    """The modality, opened on a source."""
    modality = make_modality("text", inputs(text=options)["text"], 8.0)
    assert isinstance(modality, Text)
    if source is not None:
        modality.open(source, learnt)
    return modality


def source(*sentences: str, **more: Any) -> ClipSource:
    """Clips that say these; one word a second."""
    said = [
        StoredClip(words=tuple(Word(w, float(i), i + 1.0) for i, w in enumerate(line.split())))
        for line in sentences
    ]
    return arrays_as_source(said, RunConfig(), **more)


def test_metadata_stands_before_the_subtitles_and_spans_the_window() -> None:
    told = Clip(
        id="a", label="x", group="g", split="train", video="v", metadata={"title": "big fox", "tags": "zoo"}
    )
    words = text(metadata_fields=("tags", "title", "none")).words(
        told, [Word("early", 0.0, 0.2), Word("in", 1.0, 1.4), Word("late", 1.9, 2.3)], 0.5, 1.0
    )
    assert words == [
        Word("zoo", 0, 1),
        Word("big", 0, 1),
        Word("fox", 0, 1),
        Word("in", 0.5, pytest.approx(0.9)),
    ]


def test_clips_have_it_by_their_words_or_by_the_metadata_that_are_read() -> None:
    clips = source("the fox", "", metadata={"title": "owl"})
    assert text(clips).present == {"clip0"}
    assert text(clips, template="About {title}").present == {"clip0", "clip1"}


def test_a_field_that_no_clip_has_is_named_with_its_place_in_the_configuration() -> None:
    with pytest.raises(InputError, match=r"inputs\.text\.options\.metadata_fields: no clip has .* titel\."):
        text(source("fox", metadata={"title": "owl"}), metadata_fields=("titel",))


class TestTokenizer:
    def test_it_is_made_once_for_the_same_options(self) -> None:
        clips = source("the fox", "the dog", metadata={"title": "owl"})
        first = text(clips)
        assert text(clips).tokenizer is first.tokenizer
        assert text(clips, metadata_fields=("title",)).tokenizer is not first.tokenizer

    def test_its_size_is_what_the_encoder_is_told(self) -> None:
        opened = text(source("the fox"))
        assert opened.told == opened.tokenizer.size > 2

    def test_saved_it_is_the_one_that_another_run_reads_by(self, tmp_path: Path) -> None:
        opened = text(source("the fox", "the dog"))
        opened.save(tmp_path / "new" / "folder")
        again = text(source("other words"), tmp_path / "new" / "folder")
        assert again.tokenizer.tokenizer.get_vocab() == opened.tokenizer.tokenizer.get_vocab()


def test_words_are_left_out_in_training_alone() -> None:
    stored = StoredClip(words=tuple(Word(f"w{i}", i / 40, (i + 1) / 40) for i in range(40)))
    config = RunConfig(inputs=inputs(text={"word_dropout": 0.5}), modalities=("text",))
    shown, whole = (make_dataset([stored], config, training=on)[0].inputs["text"][1] for on in (True, False))
    assert 5 < len(set(shown.tolist())) < 35
    assert len(set(whole.tolist())) == 40


class TestEncodedBefore:
    """What an encoder made of whole texts before, and what of it a window shows."""

    @pytest.fixture
    def opened(self, tmp_path: Path) -> tuple[Text, ClipSource]:
        encoder = EncoderChoice.of("text_model", model=str(text_folder("bert", tmp_path)))
        given = Input.of("text", encoder, metadata_fields=("title",))
        clips = source("the fox sees a dog", metadata={"title": "it runs"})
        modality = make_modality("text", given, 8.0)
        assert isinstance(modality, Text)
        modality.open(clips)
        return modality, clips

    @staticmethod
    def shown(opened: tuple[Text, ClipSource], times: list[float], window: tuple[float, float]) -> Any:
        """Numbers and times of the tokens that a window shows, of tokens at these times."""
        modality, clips = opened
        tokens = np.arange(len(times), dtype=np.float32)[:, None], np.array(times)
        modality.encoded = SimpleNamespace(read=lambda _: tokens)  # type: ignore[assignment]
        with clips.store.open("0") as stored:
            values, seconds = modality.sample(
                clips.clips[0], stored, Window(*window, 5.0, 0, View()), training=False
            )
        return values[:, 0].tolist(), seconds.tolist()

    def test_metadata_are_a_text_of_their_own_and_have_no_time(self, opened: Any) -> None:
        modality, clips = opened
        with clips.store.open("0") as stored:
            values, times = modality.whole(clips.clips[0], stored)
        assert values[times == THROUGHOUT, 1].tolist() == [0] * 4
        assert values[times != THROUGHOUT, 1].tolist() == [1] * 7
        assert times.max() == 4.5

    def test_a_window_shows_metadata_in_its_middle_and_what_is_centred_in_it(self, opened: Any) -> None:
        assert self.shown(opened, [THROUGHOUT, 0.5, 1.5, 2.5, 3.5], (1.0, 2.0)) == (
            [0, 2, 3],
            [1.0, 0.5, 1.5],
        )

    def test_a_window_in_the_middle_of_a_text_shows_that_and_one_after_the_last_word_none(
        self, opened: Any
    ) -> None:
        assert self.shown(opened, [THROUGHOUT, 1.0, 4.0], (1.6, 1.0)) == ([0, 1], [0.5, 0.0])
        assert self.shown(opened, [THROUGHOUT, 1.0, 4.0], (7.0, 1.0)) == ([0], [0.5])
