"""Batches: padding is masked, what is absent is an all-False mask, and every clip keeps its own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data._utils.pin_memory import pin_memory

from mmvideo.data.collate import collate
from mmvideo.data.dataset import Sample
from mmvideo.types import Batch, Tokens


def sample(name: str, label: int, frames: int, pieces: int) -> Sample:
    generator = torch.Generator().manual_seed(frames * 31 + pieces)
    pictures = torch.randint(1, 255, (frames, 3, 2, 2), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 99, (pieces,), generator=generator)
    return Sample(name, label, {"visual": (pictures, torch.rand(frames)), "text": (ids, torch.rand(pieces))})


@given(lengths=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_what_goes_in_comes_out_and_the_rest_is_masked(lengths: list[tuple[int, int]]) -> None:
    samples = [sample(f"clip{i}", i, *pair) for i, pair in enumerate(lengths)]
    batch = collate(samples)
    assert batch.ids == tuple(f"clip{i}" for i in range(len(lengths)))
    assert batch.labels.tolist() == list(range(len(lengths)))
    assert batch.modalities == ("visual", "text")
    for column, modality in enumerate(batch.modalities):
        tokens = batch.inputs[modality]
        longest = max(1, *(pair[column] for pair in lengths))
        assert tokens.mask.shape == tokens.time.shape == tokens.values.shape[:2] == (len(lengths), longest)
        for row, item in enumerate(samples):
            values, times = item.inputs[modality]
            n = len(values)
            assert tokens.mask[row].tolist() == [True] * n + [False] * (longest - n)
            assert torch.equal(tokens.values[row, :n], values)
            assert torch.equal(tokens.time[row, :n], times)
            assert not tokens.values[row, n:].any()
        assert batch.present[:, column].tolist() == [pair[column] > 0 for pair in lengths]
    assert batch.inputs["visual"].values.dtype == torch.uint8
    assert batch.inputs["text"].values.dtype == torch.int64


@given(
    lengths=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=5),
    frames=st.integers(1, 5),
    pieces=st.integers(1, 20),
)
@settings(max_examples=40, deadline=None)
def test_rounded_lengths_are_multiples_and_change_nothing_real(
    lengths: list[tuple[int, int]], frames: int, pieces: int
) -> None:
    samples = [sample(f"clip{i}", i, *pair) for i, pair in enumerate(lengths)]
    plain, rounded = collate(samples), collate(samples, {"visual": frames, "text": pieces})
    for modality, multiple in (("visual", frames), ("text", pieces)):
        before, after = plain.inputs[modality], rounded.inputs[modality]
        length = before.mask.shape[1]
        assert after.mask.shape[1] % multiple == 0
        assert 0 <= after.mask.shape[1] - length < multiple
        for name in ("values", "mask", "time"):
            assert torch.equal(getattr(after, name)[:, :length], getattr(before, name))
            assert not getattr(after, name)[:, length:].any()
    assert rounded.present.equal(plain.present)


def test_rounded_lengths_leave_few_shapes() -> None:
    batches = [collate([sample("a", 0, 1, n), sample("b", 0, 1, n // 2)], {"text": 16}) for n in range(49)]
    assert {batch.inputs["text"].values.shape[1] for batch in batches} == {16, 32, 48}


def test_absent_in_all_clips_is_one_masked_item() -> None:
    batch = collate([sample("a", 0, 2, 0), sample("b", 1, 1, 0)])
    assert batch.inputs["text"].values.shape == (2, 1)
    assert not batch.inputs["text"].mask.any()
    assert batch.present.tolist() == [[True, False], [True, False]]


def test_the_loader_pins_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU nothing can be pinned; what the loader calls does so for every tensor of a batch."""
    pinned: list[tuple[int, ...]] = []
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda self: (pinned.append(tuple(self.shape)), self.clone())[1]
    )
    tokens = Tokens(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3))
    batch = Batch(("a", "b"), {"visual": tokens, "audio": tokens}, torch.tensor([0, 1]))
    copied = pin_memory(batch)
    assert sorted(pinned) == sorted(2 * [(2, 3, 4), (2, 3), (2, 3)] + [(2,)])
    assert torch.equal(copied.inputs["audio"].values, tokens.values)
    assert copied.ids == batch.ids


def test_pictures_keep_their_channels_last_in_memory() -> None:
    frames = [torch.randint(0, 256, (n, 6, 5, 3)).byte().permute(0, 3, 1, 2) for n in (3, 1)]
    samples = [Sample(str(i), 0, {"visual": (f, torch.arange(len(f)))}) for i, f in enumerate(frames)]
    values = collate(samples).inputs["visual"].values
    assert values.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(values[0], frames[0])
    assert torch.equal(values[1, :1], frames[1])
    assert not values[1, 1:].any()


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 4, 1), (1, 1, 1)])
def test_items_of_a_single_pixel_are_stacked_too(shape: tuple[int, ...]) -> None:
    """Whose memory does not tell where their channels lie."""
    items = [torch.rand(frames, *shape) for frames in (2, 1)]
    batch = collate([Sample(str(i), 0, {"visual": (v, torch.zeros(len(v)))}) for i, v in enumerate(items)])
    values = batch.inputs["visual"].values
    assert values.shape == (2, 2, *shape)
    assert torch.equal(values[0], items[0])
    assert torch.equal(values[1, :1], items[1])
