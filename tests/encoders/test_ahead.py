"""Tokens of clips of any modality, kept in the store: whose, when, of what, and computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from planted_runs import small_inputs
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.encoders.ahead import Ahead, encode_clips
from mmvideo.errors import InputError
from mmvideo.modalities.base import Modality, View, Window
from mmvideo.store.clip_format import OpenClip
from mmvideo.store.encoded import EncodedClips
from mmvideo.store.maintenance import kinds

Configure = Callable[..., RunConfig]
RATE = 10
"""Tokens a second."""


@pytest.fixture
def opened(configure: Configure) -> Callable[..., tuple[RunData, Modality]]:
    """`opened("audio", snr_db=3.0)`: the modality of a run that reads it alone."""

    def make(name: str, **options: Any) -> tuple[RunData, Modality]:
        inputs = small_inputs(**{name: options})
        data = RunData.open(configure(modalities=(name,), fusion=FusionChoice.of("single"), inputs=inputs))
        return data, data.modalities[name]

    return make


def encode(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
    """Ten tokens a second of sound: its mean over the tenth, and the tenth's number."""
    samples = torch.from_numpy(stored.clip.samples)
    tenths = samples[: len(samples) // 1600 * 1600].view(-1, 1600)
    numbers = torch.arange(len(tenths))
    return torch.stack([tenths.mean(dim=1), numbers.float()], dim=1), (numbers + 0.5) / RATE


def ahead(opened: tuple[RunData, Modality], mark: str, **further: Any) -> EncodedClips:
    data, modality = opened
    return encode_clips(Ahead(encode, {"model": mark}, **further), modality, data.source)


def test_tokens_need_not_be_items_and_a_window_shows_those_within(opened: Any) -> None:
    data, audio = opened("audio")
    audio.encoded = ahead((data, audio), "windows")
    clip = next(clip for clip in data.source.clips if clip.id in audio.present)
    with data.source.store.open(data.source.keys[clip.id]) as stored:
        values, times = audio.sample(clip, stored, Window(0.2, 0.4, 1.0, 0, View()), training=False)
        assert values[:, 1].tolist() == [2, 3, 4, 5]
        torch.testing.assert_close(times, torch.tensor([0.05, 0.15, 0.25, 0.35]))
        between, seconds = audio.sample(clip, stored, Window(0.58, 0.04, 1.0, 0, View()), training=False)
        assert between[:, 1].tolist() == [5]  # a piece between two columns: what is there stays there
        assert seconds.tolist() == [0.0]
        beyond, _ = audio.sample(clip, stored, Window(9.0, 0.5, 1.0, 0, View()), training=False)
        assert beyond.shape == (0, 2)


def test_clips_without_it_have_no_tokens(opened: Any) -> None:
    data, audio = opened("audio")
    encoded = ahead((data, audio), "absent")
    lacking = [name for name in data.source.keys if name not in audio.present]
    assert lacking
    assert {encoded.read(name)[0].shape for name in lacking} == {(0, 2)}
    assert "model absent" in " ".join(kind.settings for kind in kinds(data.source.store.root))


def test_what_was_read_of_a_clip_is_part_of_its_name(opened: Any) -> None:
    name = next(iter(opened("audio")[0].source.keys))
    paths = {
        ahead(opened("audio", **options), "names", **further).path(name)
        for options, further in (({}, {}), ({"snr_db": 3.0}, {}), ({"snr_db": 4.0}, {}), ({}, {"half": True}))
    }
    assert len(paths) == 4
    same = (ahead(opened("audio", **options), "names").path(name) for options in ({}, {"gain_db": 3.0}))
    assert len(set(same)) == 1, "what is changed in training alone is not encoded"


def test_noise_belongs_to_the_clip_and_words_to_its_metadata(opened: Any) -> None:
    data, audio = opened("audio", snr_db=3.0)
    first, second = data.source.clips[:2]
    assert audio.beside(first) != audio.beside(second)
    text = opened("text")[1]
    assert text.beside(first) is None
    told = first.model_copy(update={"metadata": {"title": "a cat"}})
    text.config = text.config.model_copy(update={"metadata_fields": ("title",)})
    assert text.beside(told) == "a cat"


def test_half_precision_halves_the_bytes_and_refuses_what_it_does_not_hold(opened: Any) -> None:
    given = opened("audio")
    whole, half = ahead(given, "precision"), ahead(given, "precision", half=True)
    name = next(iter(given[1].present))
    values, kept = whole.read(name)[0], half.read(name)[0]
    assert kept.dtype == np.float32
    np.testing.assert_array_equal(kept, values.astype(np.float16).astype(np.float32))
    with pytest.raises(InputError, match=r"a value of 70000, which half precision does not hold"):
        half.write(name, np.full((1, 2), 7e4, np.float32), np.zeros(1))
    with pytest.raises(InputError, match=r"the encoder of audio gives a value of nan$"):
        whole.write(name, np.full((1, 2), np.nan, np.float32), np.zeros(1))


def test_what_was_interrupted_goes_on_from_there(opened: Any) -> None:
    data, audio = opened("audio")
    seen: list[str] = []

    def stops(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(clip.id)
        return encode(clip, stored)

    with pytest.raises(KeyboardInterrupt):
        encode_clips(Ahead(stops, {"model": "resumed"}), audio, data.source)
    before = seen.copy()
    seen.clear()

    def counts(clip: Clip, stored: OpenClip) -> tuple[Tensor, Tensor]:
        seen.append(clip.id)
        return encode(clip, stored)

    encoded = encode_clips(Ahead(counts, {"model": "resumed"}), audio, data.source)
    assert not set(before) & set(seen)
    assert len(before) + len(seen) == len(data.source.keys)
    assert encoded.missing() == []
