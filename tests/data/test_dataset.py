"""Samples: every modality is cut to the same window, and the control breaks the pairing and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from clip_datasets import inputs, make_dataset

from mmvideo.config import DataConfig, RunConfig
from mmvideo.data.dataset import ClipDataset, PermutedModalities
from mmvideo.modalities.text import Text
from mmvideo.store.clip_format import StoredClip
from mmvideo.store.subtitles import Word

RATE, SAMPLE_RATE, SECONDS = 8, 1000, 3.0


def counting_clip(seconds: float = SECONDS) -> StoredClip:
    """Frame i is of level i, sample i has the value i / 4096, word `w<i>` is said in quarter second i."""
    frames, samples, words = round(seconds * RATE), round(seconds * SAMPLE_RATE), round(seconds * 4)
    return StoredClip(
        frames=np.broadcast_to(
            np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 16, 16, 3)
        ).copy(),
        frame_times=(np.arange(frames) + 0.5) / RATE,
        samples=(np.arange(samples) / 4096).astype(np.float32),
        words=tuple(Word(f"w{i}", i / 4, (i + 1) / 4) for i in range(words)),
    )


def dataset(stored: Sequence[StoredClip], *, training: bool = False, **more: Any) -> ClipDataset:
    given = {"inputs": inputs(visual={"frame_size": 16}), "data": DataConfig(frame_rate=RATE)} | more
    return make_dataset(stored, RunConfig(**given), training=training)


def words_of(data: ClipDataset, ids: torch.Tensor) -> list[str]:
    [text] = [m for m in data.modalities if isinstance(m, Text)]
    return str(text.tokenizer.tokenizer.decode(ids.tolist())).replace(" ##", "").split()


def window_of(data: ClipDataset, index: int = 0) -> int:
    """The first frame of a sample, after checking that all modalities are cut at the same instant."""
    inputs = data[index].inputs
    frames, frame_times = inputs["visual"]
    first = int(frames[0, 0, 0, 0])
    assert frames[:, 0, 0, 0].tolist() == list(range(first, first + RATE))
    torch.testing.assert_close(frame_times, (torch.arange(RATE) + 0.5) / RATE)
    sound, sound_times = inputs["audio"]
    assert sound.shape == (100, 10)
    np.testing.assert_allclose(
        sound.flatten().numpy() * 4096, first / RATE * SAMPLE_RATE + np.arange(1000), atol=1e-2
    )
    torch.testing.assert_close(sound_times, (torch.arange(100) + 0.5) * 0.01)
    pieces, times = inputs["text"]
    start = first / RATE
    expected = [i for i in range(round(SECONDS * 4)) if start <= (i + 0.5) / 4 < start + 1]
    assert words_of(data, pieces) == [f"w{i}" for i in expected]
    assert sorted(set(times.tolist())) == pytest.approx([(i + 0.5) / 4 - start for i in expected])
    return first


class TestWindow:
    def test_evaluation_takes_the_middle(self) -> None:
        assert window_of(dataset([counting_clip()])) == RATE

    def test_training_takes_one_at_random_for_all_modalities(self) -> None:
        data = dataset([counting_clip()], training=True)
        starts = []
        for epoch in range(150):
            data.epoch = epoch
            starts.append(window_of(data))
        assert set(starts) == set(range(2 * RATE + 1))

    def test_a_draw_depends_on_seed_epoch_and_clip_alone(self) -> None:
        clips = [counting_clip()] * 3
        data, again = dataset(clips, training=True), dataset(clips, training=True)
        assert [window_of(data, i) for i in (0, 1, 2)] == [window_of(again, i) for i in (2, 1, 0)][::-1]
        starts = set()
        for seed in range(5):
            for epoch in range(5):
                other = dataset(clips, training=True, seed=seed)
                other.epoch = epoch
                starts.add(tuple(window_of(other, i) for i in range(3)))
        assert len(starts) > 20

    @pytest.mark.parametrize("training", [True, False])
    def test_a_short_clip_is_taken_whole(self, training: bool) -> None:
        inputs = dataset([counting_clip(0.75)], training=training)[0].inputs
        assert inputs["visual"][0].shape == (6, 3, 16, 16)
        assert inputs["audio"][0].shape == (75, 10)
        assert inputs["visual"][0].dtype == torch.uint8

    def test_the_last_hop_is_filled_up_with_silence(self) -> None:
        stored = StoredClip(samples=np.full(25, 0.5, np.float32))
        sound, _ = dataset([stored])[0].inputs["audio"]
        assert sound.shape == (3, 10)
        assert sound.flatten().tolist() == [0.5] * 25 + [0.0] * 5


def test_what_a_clip_lacks_has_length_zero() -> None:
    inputs = dataset([StoredClip()])[0].inputs
    assert {name: len(values) for name, (values, _) in inputs.items()} == {"visual": 0, "audio": 0, "text": 0}
    assert inputs["visual"][0].shape == (0, 3, 16, 16)
    assert inputs["audio"][0].shape == (0, 10)
    assert [values.dtype for values, _ in inputs.values()] == [torch.uint8, torch.float32, torch.int64]


def test_only_the_configured_modalities_are_read() -> None:
    assert set(dataset([counting_clip()], modalities=("audio",))[0].inputs) == {"audio"}


class TestPermutedModalities:
    CLIPS = tuple(
        StoredClip(
            frames=np.full((8, 16, 16, 3), i, np.uint8), frame_times=(np.arange(8) + 0.5) / RATE,
            samples=np.full(1000, i / 64, np.float32), words=(Word(f"w{i}", 0.0, 0.5),),
        )
        for i in range(12)
    )  # fmt: skip

    def sources(self, pairs: PermutedModalities) -> dict[str, list[int]]:
        """Which clip each modality comes from."""
        samples = [pairs[i] for i in range(len(pairs))]
        return {
            "visual": [int(s.inputs["visual"][0][0, 0, 0, 0]) for s in samples],
            "audio": [round(float(s.inputs["audio"][0][0, 0]) * 64) for s in samples],
            "text": [int(words_of(pairs.clips, s.inputs["text"][0])[0][1:]) for s in samples],
        }

    def test_none_keeps_its_own_and_all_are_used_once(self) -> None:
        for seed in range(20):
            sources = self.sources(PermutedModalities(dataset(self.CLIPS), seed))
            assert sources["visual"] == list(range(12))
            for modality in ("audio", "text"):
                assert sorted(sources[modality]) == list(range(12))
                assert all(i != source for i, source in enumerate(sources[modality]))
            assert sources["audio"] != sources["text"]

    def test_labels_and_ids_stay_with_the_first_modality(self) -> None:
        plain = dataset(self.CLIPS)
        pairs = PermutedModalities(plain, 0)
        assert [(pairs[i].id, pairs[i].label) for i in range(12)] == [
            (plain[i].id, plain[i].label) for i in range(12)
        ]
        assert [pairs[i].label for i in range(4)] == [0, 1, 0, 1]

    def test_the_seed_decides_who_is_paired(self) -> None:
        first, same, other = (
            self.sources(PermutedModalities(dataset(self.CLIPS), seed)) for seed in (3, 3, 4)
        )
        assert first == same
        assert first != other

    def test_two_clips_swap(self) -> None:
        assert self.sources(PermutedModalities(dataset(self.CLIPS[:2]), 0))["audio"] == [1, 0]
