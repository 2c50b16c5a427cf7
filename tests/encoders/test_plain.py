"""Plain encoders: their columns are librosa's and the picture's own; what is usual is kept with the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from clip_datasets import arrays_as_source

from mmvideo.components import EncoderChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.opened import make_modality
from mmvideo.encoders.mfcc import MfccColumns
from mmvideo.encoders.pixels import Pixels
from mmvideo.encoders.plain import PlainVectors
from mmvideo.errors import InputError
from mmvideo.modalities.base import Modality
from mmvideo.modalities.plain import Mfcc, pixels_and_change
from mmvideo.store.clip_format import OpenClip, StoredClip
from mmvideo.types import FeatureInput, Tokens

RATE = 8000


def stored(seed: int, frames: int = 5, seconds: float = 0.5) -> StoredClip:
    rng = np.random.default_rng(seed)
    return StoredClip(
        frames=rng.integers(0, 256, (frames, 40, 60, 3), np.uint8),
        frame_times=np.arange(frames) / 8,
        samples=rng.normal(0, 0.1, round(seconds * RATE)).astype(np.float32),
    )


def opened(
    name: str, clips: list[StoredClip], encoder: EncoderChoice, folder: Path | None = None
) -> Modality:
    config = RunConfig(inputs={name: Input.of(name, encoder)})
    modality = make_modality(name, config.inputs[name], config.data.frame_rate)
    modality.open(arrays_as_source(clips, config), folder)
    return modality


@pytest.mark.parametrize(("rate", "hop"), [(16000, 320), (22050, 220), (8000, 80)])
def test_mfcc_are_librosas(rate: int, hop: int) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 30 * hop).astype(np.float32)
    window = round(0.032 * rate)
    before = (window - hop) // 2
    mel = librosa.feature.melspectrogram(
        y=np.pad(samples, (before, window - hop - before)), sr=rate, n_fft=window, hop_length=hop, n_mels=64,
        window="hann", center=False, power=2.0, htk=True, norm=None,
    )  # fmt: skip
    expected = librosa.feature.mfcc(S=np.log(mel + 1e-6), n_mfcc=40, dct_type=2, norm="ortho")
    found = Mfcc(rate, hop)(torch.from_numpy(samples).view(30, hop))
    np.testing.assert_allclose(found.numpy().T, expected, atol=2e-3)


def test_a_click_is_in_the_columns_whose_windows_hold_it_and_these_are_centred_on_their_hops() -> None:
    hops = torch.zeros(1, 21, 100)
    hops[0, 10, 50] = 1.0
    silent = Mfcc(10_000, 100)(torch.zeros(1, 21, 100))
    loud = (Mfcc(10_000, 100)(hops) - silent).abs().sum(dim=-1)[0]
    assert loud.nonzero().flatten().tolist() == [9, 10, 11]  # 320 samples around the middle of each hop
    torch.testing.assert_close(loud[9], loud[11], rtol=1e-2, atol=0.1)
    time = torch.arange(21)[None] * 0.01 + 0.005
    tokens = Tokens(hops, torch.ones(1, 21, dtype=torch.bool), time)
    config = MfccColumns.Config(sample_rate=10_000, hop_seconds=0.01)
    told = FeatureInput(40, 21, (0.0,) * 40, (1.0,) * 40)
    stem = MfccColumns(config, told, 8, frozenset({"stem"}))(tokens).stem
    assert stem is not None
    assert torch.equal(stem.time, time)


def test_pixels_are_the_whole_frame_and_its_change() -> None:
    clip = stored(0)
    clip.frames[:, :, :30], clip.frames[:, :, 30:] = 0, 200  # left half black; a centre crop would cut it
    clip.frames[3] = 255
    modality = opened("visual", [clip], EncoderChoice.of("pixels", side=4))
    frames, times = modality.whole(modality_clip(modality, clip), open_clip(clip))
    assert frames.shape == (5, 3, 4, 4)
    assert times.tolist() == [0, 0.125, 0.25, 0.375, 0.5]
    vectors = pixels_and_change(frames)
    assert vectors.shape == (5, 96)
    pixels, change = vectors[:, :48].view(5, 3, 4, 4), vectors[:, 48:].view(5, 3, 4, 4)
    assert pixels[0, :, :, 0].max() == 0
    torch.testing.assert_close(pixels[0, :, :, 3], torch.full((3, 4), 200 / 255))
    assert not change[:3].any()
    torch.testing.assert_close(change[3, :, :, 0], torch.ones(3, 4))
    torch.testing.assert_close(change[4], change[3])


def test_beside_each_vector_stand_its_clips_mean_and_deviation() -> None:
    found = PlainVectors(torch.clone, summary=True).of(three_clips()).values
    for clip in (0, 1):
        x = real_values(clip)
        known = torch.cat([x.mean(dim=0), x.std(dim=0, correction=0)]).expand(len(x), -1)
        torch.testing.assert_close(found[clip, : len(x)], torch.cat([x, known], dim=1))
    assert found[2].isfinite().all()


def test_parts_are_means_in_time_however_many_vectors_a_clip_has() -> None:
    found = PlainVectors(torch.clone, parts=2, summary=True).of(three_clips())
    assert found.mask.tolist() == [[True, True], [True, True], [False, False]]
    x = real_values(
        0
    )  # 1/6, 1/2 and 5/6 through, so 1/12 and 1/4 from the first part's centre, which reaches 1/2
    torch.testing.assert_close(
        found.values[0, :, :2], torch.stack([(5 * x[0] + 3 * x[1]) / 8, (3 * x[1] + 5 * x[2]) / 8])
    )
    torch.testing.assert_close(found.time[0], torch.tensor([3 / 8, 13 / 8]))
    torch.testing.assert_close(found.values[1, :, :2], real_values(1).expand(2, -1))
    for clip in (0, 1):
        x = real_values(clip)
        known = torch.cat([x.mean(dim=0), x.std(dim=0, correction=0)]).expand(2, -1)
        torch.testing.assert_close(found.values[clip, :, 2:], known)
    assert not found.values[2, :, :2].any()


def three_clips() -> Tokens:
    """Of three, one and no vectors, 0, 1 and 2 s from the start; padding is loud."""
    mask = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    values = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(0))
    return Tokens(torch.where(mask[..., None], values, 1e3), mask, torch.arange(3.0).expand(3, 3))


def real_values(clip: int) -> torch.Tensor:
    clips = three_clips()
    return clips.values[clip, clips.mask[clip]]


@pytest.mark.parametrize("name", ["visual", "audio"])
def test_with_a_summary_the_encoder_is_given_what_was_measured(name: str) -> None:
    """So clips of one kind, as they are read alone, are 0 before the projection."""
    chosen = {"visual": "pixels", "audio": "mfcc"}[name]
    side = {"side": 4} if name == "visual" else {"sample_rate": RATE, "coefficients": 12}
    choice = EncoderChoice.of(chosen, summary=True, **side)
    clip = stored(0)
    modality = opened(name, [clip], choice)
    items, times = modality.whole(modality_clip(modality, clip), open_clip(clip))
    encoder = choice.build(modality.told, 8, frozenset({"stem"})).eval()
    longer = torch.cat([items, torch.ones(2, *items.shape[1:]).to(items.dtype)])[None]
    real = (torch.arange(len(items) + 2) < len(items))[None]
    seconds = torch.cat([times, torch.zeros(2)])[None]
    stem = encoder(Tokens(longer, real, seconds)).stem
    expected = (modality.needs.measure(items) - encoder.mean) / encoder.std
    torch.testing.assert_close(stem.values[0, : len(items)], encoder.project(expected), atol=1e-3, rtol=1e-3)
    assert not stem.values[0, len(items) :].any()


@pytest.mark.parametrize("name", ["visual", "audio"])
def test_vectors_that_were_made_before_give_what_the_items_give(name: str) -> None:
    chosen = {"visual": "pixels", "audio": "mfcc"}[name]
    side = {"side": 4} if name == "visual" else {"sample_rate": RATE, "coefficients": 12}
    given = {"random_crop": False, "sampling": "uniform"} if name == "visual" else {}
    kept, fresh = (
        EncoderChoice.of(chosen, summary=True, parts=3, clip_pool="segments", cached=cached, **side)
        for cached in (True, False)
    )
    config = RunConfig(inputs={name: Input.of(name, kept, **given)})
    modality = make_modality(name, config.inputs[name], config.data.frame_rate)
    clip, silent = stored(0), StoredClip(np.zeros((0, 40, 60, 3), np.uint8), np.zeros(0), np.zeros(0, "f4"))
    modality.open(arrays_as_source([clip], config))
    ahead = kept.component.encode_ahead(kept.options, modality, torch.device("cpu"))
    vectors, times = ahead.encode(modality_clip(modality, clip), open_clip(clip))
    items, _ = modality.whole(modality_clip(modality, clip), open_clip(clip))
    assert len(vectors) == len(items) == len(times)
    here = torch.ones(1, len(items), dtype=torch.bool)
    found = []
    for choice, values in ((kept, vectors), (fresh, items)):
        torch.manual_seed(0)
        encoder = choice.build(modality.told, 8, frozenset({"stem", "clip"})).eval()
        found.append(encoder(Tokens(values[None], here, times[None].float())))
    assert found[0].stem.values.shape == (1, 3, 8)
    torch.testing.assert_close(found[0].stem.values, found[1].stem.values)
    torch.testing.assert_close(found[0].clip, found[1].clip)
    nothing, _ = ahead.encode(modality_clip(modality, silent), open_clip(silent))
    assert nothing.shape == (0, vectors.shape[1])


def test_vectors_are_kept_of_what_is_the_same_in_every_epoch_alone() -> None:
    with pytest.raises(InputError, match=r"`cached` keeps .*redraw_noise"):
        Input.of("audio", EncoderChoice.of("mfcc", cached=True), snr_db=0.0, redraw_noise=True)


def modality_clip(modality: Modality, clip: StoredClip):
    return arrays_as_source([clip], RunConfig(inputs={"visual": Input.of("visual")})).clips[0]


class InMemory(OpenClip):
    def frames(self, indices: np.ndarray) -> np.ndarray:
        return self.clip.frames[indices]


def open_clip(clip: StoredClip) -> OpenClip:
    return InMemory(clip, Path(), None)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("visual", EncoderChoice.of("pixels", side=4)),
        ("audio", EncoderChoice.of("mfcc", sample_rate=RATE, hop_seconds=0.05, coefficients=12)),
        ("visual", EncoderChoice.of("pixels", side=4, summary=True)),
        ("audio", EncoderChoice.of("mfcc", sample_rate=RATE, coefficients=12, summary=True)),
        ("visual", EncoderChoice.of("pixels", side=4, summary=True, parts=3)),
    ],
)
def test_what_is_usual_is_measured_on_training_clips_and_kept(
    name: str, encoder: EncoderChoice, tmp_path: Path
) -> None:
    clips = [stored(seed, frames=3 + seed, seconds=0.25 + 0.1 * seed) for seed in range(3)]
    modality = opened(name, clips, encoder)
    measure = modality.needs.measure
    each = [measure(modality.whole(modality_clip(modality, c), open_clip(c))[0]).numpy() for c in clips]
    every = np.concatenate(each)
    told = modality.told
    assert (told.width, told.longest) == (every.shape[1], len(each[2]))
    np.testing.assert_allclose(told.mean, every.mean(axis=0), atol=1e-4)
    varying = every.std(axis=0) > 1e-5
    np.testing.assert_allclose(np.array(told.std)[varying], every.std(axis=0)[varying], rtol=1e-3)
    modality.save(tmp_path)
    assert opened(name, clips[:1], encoder, tmp_path).told == told
    assert (tmp_path / f"{name}.json").exists()


def test_without_a_training_clip_there_is_nothing_to_tell() -> None:
    silent = replace(stored(0), samples=np.zeros(0, np.float32))
    with pytest.raises(InputError, match=r"No training clip has audio.*leave audio out"):
        opened("audio", [silent], EncoderChoice.of("mfcc"))


def test_other_encoders_of_the_kind_are_told_nothing(tmp_path: Path) -> None:
    modality = opened("visual", [stored(0)], EncoderChoice.of("cnn_lstm", picture_size=16))
    modality.save(tmp_path)
    assert modality.told is None
    assert not list(tmp_path.iterdir())


def test_a_frame_like_the_usual_one_is_zero_before_the_projection() -> None:
    frames = torch.full((1, 1, 3, 2, 2), 51, dtype=torch.uint8)
    told = FeatureInput(24, 1, (0.2,) * 12 + (0.0,) * 12, (0.1,) * 24)
    encoder = Pixels(Pixels.Config(side=2), told, 8, frozenset({"stem"})).eval()
    tokens = Tokens(frames, torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1))
    linear = encoder.project[0]
    stem = encoder(tokens).stem
    assert stem is not None
    torch.testing.assert_close(stem.values[0, 0], encoder.project[1](linear.bias), atol=1e-5, rtol=0)


def test_crops_make_no_sense_of_whole_frames() -> None:
    with pytest.raises(InputError, match="sees whole frames, so there are no 3 eval_crops"):
        Input.of("visual", "pixels", eval_crops=3)
