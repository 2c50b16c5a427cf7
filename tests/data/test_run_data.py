"""What a run reads of tiny real files: visual, audio, text and features of one's own, in any combination."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from media_files import make_video
from numpy.typing import NDArray

from mmvideo.clips.manifest import Clip, write_manifest
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import DataConfig, Input, RunConfig
from mmvideo.data.collate import collate
from mmvideo.data.dataset import ClipDataset, PermutedModalities, Sample
from mmvideo.data.loading import SplitLoader
from mmvideo.data.opened import open_data, store_settings
from mmvideo.data.run_data import RunData, available_modalities
from mmvideo.data.shares import Share
from mmvideo.errors import InputError
from mmvideo.modalities.base import View, Window
from mmvideo.modalities.visual import Visual
from mmvideo.model import build_model
from mmvideo.seeding import derive_seed
from mmvideo.store.keys import StoreSettings
from mmvideo.training.feeding import on_device
from mmvideo.vocabulary import SPLITS, presence_pattern

FOUR = ("visual", "audio", "text", "flow")
PATTERNS = [tuple(m for m, has in zip(FOUR, row, strict=True) if has) for row in product((1, 0), repeat=4)][
    :-1
]
"""Every combination of the four but the empty one."""
Configure = Callable[..., RunConfig]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest whose splits have each a clip of every pattern of the four modalities; 2 s each."""
    root = tmp_path_factory.mktemp("four")
    clips = []
    for number, (split, pattern) in enumerate(product(SPLITS, PATTERNS)):
        clips.append(_clip(root, f"{split}-{presence_pattern(pattern)}", number, split, pattern))
    write_manifest(root / "manifest.jsonl", clips)
    return root


def _clip(root: Path, name: str, number: int, split: Any, pattern: tuple[str, ...]) -> Clip:
    """A clip of one grey, one tone, two words and one rising vector, all of which tell its number."""
    files: dict[str, Any] = {}
    pitch = 300 + 10 * number
    sound = (0.3 * np.sin(np.arange(32_000) * pitch * 2 * np.pi / 16_000)).astype(np.float32)

    def grey(i: int, width: int, height: int) -> NDArray[np.uint8]:
        return np.full((height, width, 3), 20 + 4 * number + i % 2, np.uint8)

    if "visual" in pattern:
        make_video(root / f"{name}.mkv", picture=grey, sound=sound if "audio" in pattern else None)
        files["video"] = f"{name}.mkv"
    elif "audio" in pattern:
        soundfile.write(root / f"{name}.wav", sound, 16_000)
        files["audio"] = f"{name}.wav"
    if "text" in pattern:
        (root / f"{name}.srt").write_text(f"1\n00:00:00,100 --> 00:00:01,900\nclip w{number}\n")
        files["subtitles"] = f"{name}.srt"
    if "flow" in pattern:
        np.save(root / f"{name}.npy", number + np.linspace(0, 0.9, 20)[:, None] * np.ones((1, 3)))
        files |= {"features": {"flow": f"{name}.npy"}, "features_rate": {"flow": 10.0}}
    return Clip(id=name, label=f"class{number // 2 % 2}", group=name, split=split, **files)


@pytest.fixture
def configure(folder: Path) -> Configure:
    def make(manifest: str = "manifest.jsonl", **changes: Any) -> RunConfig:
        given: dict[str, Any] = {
            "width": 8,
            "inputs": {
                "visual": Input.of(
                    "visual", EncoderChoice.of("cnn_lstm", channels=(4, 8), picture_size=16), frame_size=20
                ),
                "audio": Input.of(
                    "audio",
                    EncoderChoice.of("spectrogram_cnn", mel_bins=16, channels=(4, 8), sample_rate=8000),
                ),
                "text": Input.of("text", EncoderChoice.of("transformer", layers=1, heads=2, hidden=8)),
                "flow": Input.of("features"),
            },
            "data": DataConfig(manifest=str(folder / manifest), store=str(folder / "store")),
            "fusion": FusionChoice.of("late"),
        }
        return RunConfig(**given | changes)

    return make


def same(a: Sample, b: Sample) -> bool:
    parts = zip(a.inputs.items(), b.inputs.items(), strict=True)
    return (a.id, a.label) == (b.id, b.label) and all(
        m == n and all(map(torch.equal, x, y)) for (m, x), (n, y) in parts
    )


def samples(data: ClipDataset, epoch: int = 0) -> list[Sample]:
    data.epoch = epoch
    return [data[i] for i in range(len(data))]


def test_loading_processes_outlive_epochs_and_change_no_batch(configure: Configure) -> None:
    data = RunData.open(configure(modalities=("visual", "text")))
    alone, helped = (
        SplitLoader(
            data.dataset("train", training=True), data.dataset("val"), batch_size=3, seed=0, workers=n
        )
        for n in (0, 1)
    )
    for epoch in (1, 2):
        for here, there in zip(alone.train_batches(epoch), helped.train_batches(epoch), strict=True):
            assert here.ids == there.ids
            for m, tokens in here.inputs.items():
                assert torch.equal(tokens.values, there.inputs[m].values)
    assert list(helped.staying) == [helped.train]
    assert not alone.staying
    assert [b.ids for b in alone.val_batches()] == [b.ids for b in helped.val_batches()]


def changed_on_device(configure: Configure, on_device: bool, workers: int = 0, **given: Any) -> SplitLoader:
    """Batches with and without pictures, which are rotated, cropped and recoloured."""
    encoder = EncoderChoice.of("cnn_lstm", channels=(4, 8), picture_size=16)
    augmented = {"rotate_degrees": 30.0, "smallest_crop": 0.3, "brightness": 0.4, "on_device": on_device}
    inputs = {"visual": Input.of("visual", encoder, frame_size=20, **augmented), "text": Input.of("text")}
    data = RunData.open(configure(inputs=inputs, modalities=("visual", "text")))
    splits = data.dataset("train", training=True), data.dataset("val")
    return SplitLoader(*splits, batch_size=4, seed=0, workers=workers, **given)


class TestChangedOnTheDevice:
    @pytest.mark.parametrize("workers", [0, 1])
    def test_it_is_the_same_pictures_within_rounding(self, configure: Configure, workers: int) -> None:
        before = changed_on_device(configure, False)
        after = changed_on_device(configure, True, workers)
        cpu = torch.device("cpu")
        for epoch in (1, 2):
            for one, other in zip(
                before.train_batches(epoch), on_device(after.train_batches(epoch), cpu), strict=True
            ):
                a, b = one.inputs["visual"], other.inputs["visual"]
                assert a.values.shape == b.values.shape
                assert (a.values.int() - b.values.int()).abs().max() <= 2
                assert torch.equal(a.mask, b.mask)
                assert b.pending is None
                assert torch.equal(one.inputs["text"].values, other.inputs["text"].values)

    def test_pictures_wait_till_they_are_there_and_in_evaluation_nothing_does(
        self, configure: Configure
    ) -> None:
        loader = changed_on_device(configure, True)
        waiting = next(iter(loader.train_batches(1))).inputs["visual"]
        assert waiting.pending is not None
        assert waiting.values.shape[-2:] != (16, 16)
        assert all(batch.inputs["visual"].pending is None for batch in loader.val_batches())

    def test_modality_dropout_leaves_the_rest_as_it_is(self, configure: Configure) -> None:
        loader = changed_on_device(configure, True)
        batch = next(iter(loader.train_batches(1)))
        dropped = batch.keep(batch.present & torch.tensor([[False, True], *[[True, True]] * 3]))
        whole, rest = (b.finished().inputs["visual"] for b in (batch, dropped))
        assert not rest.values[0].any()
        assert torch.equal(whole.values[1:], rest.values[1:])

    def test_a_process_finishes_its_part_of_a_batch(self, configure: Configure) -> None:
        whole = changed_on_device(configure, True).train_batches(1)
        parts = [changed_on_device(configure, True, share=Share(rank, 2)).train_batches(1) for rank in (0, 1)]
        cpu = torch.device("cpu")
        for batch, *halves in zip(*(on_device(b, cpu) for b in (whole, *parts)), strict=True):
            rows = [row for half in halves for row in half.inputs["visual"].values]
            for row, expected in zip(rows, batch.inputs["visual"].values, strict=False):
                assert torch.equal(row, expected[: len(row)])  # each part is as long as its longest clip
                assert not expected[len(row) :].any()

    def test_a_clip_of_wide_frames_does_not_widen_its_batch(self, configure: Configure) -> None:
        visual = changed_on_device(configure, True).train.modalities[0]
        assert isinstance(visual, Visual)
        frames = torch.randint(0, 256, (2, 3, 20, 61), dtype=torch.uint8)
        left = visual.pending(frames, Window(0.0, 1.0, 1.0, 7, View()))
        assert left is not None
        assert left[0].shape == (2, 3, 16, 16)
        assert torch.equal(left[0], visual.transforms[True](frames, 7))
        assert torch.equal(left[1].apply(left[0][None])[0], left[0])

    def test_a_cached_encoder_refuses_it(self, configure: Configure, tmp_path: Path) -> None:
        encoder = EncoderChoice.of("cnn_lstm", backbone="resnet18", frozen=True, cached=True, picture_size=16)
        with pytest.raises(ValueError, match="leave on_device out"):
            Input.of("visual", encoder, frame_size=20, random_crop=False, on_device=True)


class TestFour:
    def test_every_pattern_of_presence_is_seen_as_it_is(self, configure: Configure) -> None:
        data = RunData.open(configure())
        assert tuple(data.modalities) == FOUR
        for split in SPLITS:
            assert [data.present(clip) for clip in data.clips(split)] == PATTERNS
            batch = collate([data.dataset(split)[i] for i in range(len(PATTERNS))])
            assert batch.modalities == FOUR
            assert batch.present.tolist() == [[m in pattern for m in FOUR] for pattern in PATTERNS]
        counts = data.train_presence()
        assert set(counts) == {presence_pattern(pattern) for pattern in PATTERNS}
        assert all(sum(row) == 1 for row in counts.values())

    @pytest.mark.parametrize("active", [("flow",), ("audio", "flow"), ("visual", "text")])
    def test_what_a_run_is_not_given_is_known_and_not_read(
        self, configure: Configure, active: tuple[str, ...]
    ) -> None:
        every, some = RunData.open(configure()), RunData.open(configure(modalities=active))
        assert some.source is every.source
        assert some.train_presence() == every.train_presence()
        assert tuple(some.modalities) == active
        for whole, part in zip(samples(every.dataset("val")), samples(some.dataset("val")), strict=True):
            assert same(Sample(whole.id, whole.label, {m: whole.inputs[m] for m in active}), part)

    def test_all_are_cut_to_the_same_second(self, configure: Configure) -> None:
        """The middle of 2 s: frames 4 to 11, and vectors 5 to 14, which tell the clip's number."""
        data = RunData.open(configure())
        shown = data.dataset("train")[0].inputs
        assert shown["visual"][0].shape == (8, 3, 16, 16)
        assert shown["audio"][0].shape == (100, 80)
        assert shown["text"][0].dtype == torch.int64
        np.testing.assert_allclose(shown["flow"][0][:, 0], np.linspace(0, 0.9, 20)[5:15], atol=1e-6)
        for values, times in shown.values():
            assert len(values) == len(times)
            assert float(times.min()) >= 0
            assert float(times.max()) <= 1

    def test_the_same_seed_gives_the_same_samples_and_another_epoch_others(
        self, configure: Configure
    ) -> None:
        config = configure(seed=4)
        first, again = (RunData.open(config).dataset("train", training=True) for _ in range(2))
        for epoch in (1, 2):
            assert all(map(same, samples(first, epoch), samples(again, epoch)))
        one, two = samples(first, 1), samples(first, 2)
        moved = {m for a, b in zip(one, two, strict=True) for m in FOUR if not _equal(a, b, m)}
        assert moved == set(FOUR)
        other = RunData.open(configure(seed=5)).dataset("train", training=True)
        assert not all(map(same, samples(other, 1), one))
        evaluated = samples(RunData.open(config).dataset("val"), 1)
        assert all(map(same, evaluated, samples(RunData.open(configure(seed=5)).dataset("val"), 2)))

    def test_permuted_modalities_are_all_but_the_first(self, configure: Configure) -> None:
        data = RunData.open(configure()).dataset("test")
        pairs = PermutedModalities(data, derive_seed(0, "control"))
        own = samples(data)
        mixed = [pairs[i] for i in range(len(pairs))]
        assert [(s.id, s.label) for s in mixed] == [(s.id, s.label) for s in own]
        assert all(_equal(a, b, "visual") for a, b in zip(own, mixed, strict=True))
        for modality in FOUR[1:]:
            lengths = [sorted(len(s.inputs[modality][0]) for s in part) for part in (own, mixed)]
            assert lengths[0] == lengths[1], "each is used once"
        for modality in ("audio", "flow"):  # words of the test split alone are all unknown
            kept = [_equal(a, b, modality) for a, b in zip(own, mixed, strict=True)]
            absent = [not len(a.inputs[modality][0]) for a in own]
            assert not any(k and not a for k, a in zip(kept, absent, strict=True))

    def test_a_model_is_built_from_what_its_modalities_tell(self, configure: Configure) -> None:
        config = configure()
        data = RunData.open(config)
        told = data.told
        assert (told["visual"], told["audio"]) == (None, None)
        assert told["text"] > 2
        assert (told["flow"].width, told["flow"].longest) == (3, 20)
        logits = build_model(config, data.outputs, told)(collate(samples(data.dataset("val")))).logits
        assert logits.shape == (len(PATTERNS), 2)
        assert torch.isfinite(logits).all()

    def test_what_was_learnt_is_kept_by_name(self, configure: Configure, tmp_path: Path) -> None:
        RunData.open(configure()).save(tmp_path)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["flow.json", "text.json"]
        again = RunData.open(configure(), learnt={"flow": tmp_path, "text": tmp_path})
        assert again.told == RunData.open(configure()).told


def _equal(a: Sample, b: Sample, modality: str) -> bool:
    return all(map(torch.equal, a.inputs[modality], b.inputs[modality]))


def test_modalities_that_no_training_clip_has_are_not_available(configure: Configure, folder: Path) -> None:
    assert available_modalities(configure()) == FOUR
    assert available_modalities(configure(modalities=("audio", "flow"))) == ("audio", "flow")
    clips = [clip for clip in open_data(configure()).manifest.clips if clip.video is None]
    gone: dict[str, Any] = {"audio": None, "features": {}, "features_rate": {}}
    first = next(clip for clip in clips if clip.split == "train" and clip.subtitles)
    labels = {first.id: "two"}
    shown = [
        clip.model_copy(
            update={"label": labels.get(clip.id, "one")} | (gone if clip.split == "train" else {})
        )
        for clip in clips
    ]
    write_manifest(
        folder / "gaps.jsonl", [clip for clip in shown if clip.audio or clip.subtitles or clip.features]
    )
    assert available_modalities(configure("gaps.jsonl")) == ("text",)


def test_features_that_no_clip_names_or_that_cannot_be_used_are_refused_before_a_study(
    configure: Configure, folder: Path
) -> None:
    clips = open_data(configure()).manifest.clips
    renamed = [dict(zip(("flwo",), clip.features.values(), strict=False)) for clip in clips]
    misspelt = [
        clip.model_copy(update={"features": features, "features_rate": {}})
        for clip, features in zip(clips, renamed, strict=True)
    ]
    write_manifest(folder / "misspelt.jsonl", misspelt)
    with pytest.raises(InputError, match=r"Unknown features of the manifest 'flow'. Did you mean 'flwo'"):
        available_modalities(configure("misspelt.jsonl"))
    np.save(folder / "wide.npy", np.ones((4, 7)))
    first = next(clip for clip in clips if clip.features and clip.split == "val")
    wide = first.model_copy(update={"features": {"flow": "wide.npy"}, "features_rate": {}})
    write_manifest(folder / "wide.jsonl", [wide if clip.id == first.id else clip for clip in clips])
    with pytest.raises(InputError, match=f"cannot be used:\n.*{re.escape(first.id)}"):
        available_modalities(configure("wide.jsonl"))


def test_features_that_are_zeros_are_absent_to_all_arms_alike(configure: Configure, folder: Path) -> None:
    np.save(folder / "zeros.npy", np.zeros((4, 3)))
    clips = [
        clip.model_copy(update={"features": {"flow": "zeros.npy#0"}, "features_rate": {}})
        if clip.id == "train-visual+audio+text+flow"
        else clip
        for clip in open_data(configure()).manifest.clips
    ]
    write_manifest(folder / "zeros.jsonl", clips)
    every, alone = (
        RunData.open(configure("zeros.jsonl", modalities=active)) for active in (FOUR, ("visual",))
    )
    assert every.present(every.clips("train")[0]) == ("visual", "audio", "text")
    assert every.train_presence() == alone.train_presence()


OWN_KIND = """
import torch
from typing import ClassVar
from mmvideo.encoders.base import Encoder
from mmvideo.modalities.base import Modality
from mmvideo.schema import Positive
from torch import nn

class Letters(Modality):
    kind: ClassVar[str] = "letters"
    default_encoder: ClassVar[str] = "my_letters:LetterSum"

    class Config(Modality.Config):
        most: Positive = 5

    def where(self, source):
        return frozenset(clip.id for clip in source.clips if "text" in clip.id)

    def read(self, clip, stored, window, *, training):
        letters = [float(ord(letter)) for letter in clip.id[: self.config.most]]
        values = torch.tensor(letters if clip.id in self.present else []).view(-1, 1)
        return values, torch.arange(len(values)).float()

class LetterSum(Encoder):
    takes = "letters"

    def __init__(self, config, told, width, levels):
        super().__init__(config, told, width, levels)
        self.project = nn.Linear(1, width)

    def stem(self, inputs):
        return inputs.replace_values(self.project(inputs.values))

    def trunk(self, stem, inputs):
        return stem
"""


def test_a_kind_of_modality_of_ones_own(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file: how it is read, and what encodes it."""
    (tmp_path / "my_letters.py").write_text(OWN_KIND)
    monkeypatch.chdir(tmp_path)
    given = configure().inputs | {"id": Input.of("my_letters:Letters", most=3)}
    config = configure(inputs=given, modalities=("audio", "id"))
    data = RunData.open(config)
    assert data.source is open_data(configure()), "it asks nothing of the store"
    assert data.present(data.clips("train")[0]) == (*FOUR, "id")
    batch = collate(samples(data.dataset("train", training=True)))
    assert batch.inputs["id"].values[0, :, 0].tolist() == [float(ord(letter)) for letter in "tra"]
    assert batch.present[:, 1].tolist() == ["text" in pattern for pattern in PATTERNS]
    assert torch.isfinite(build_model(config, 2, data.told)(batch).logits).all()


class TestStored:
    """What is kept of the media follows from the inputs, whichever of them are active."""

    def test_settings_come_from_the_inputs(self, configure: Configure) -> None:
        config = configure(modalities=("text",))
        assert store_settings(config) == StoreSettings(8.0, 20, 8000)
        given = config.inputs
        alone = {m: store_settings(configure(inputs={m: given[m]})) for m in FOUR}
        assert alone == {
            "visual": StoreSettings(8.0, frame_size=20),
            "audio": StoreSettings(8.0, sample_rate=8000),
            "text": StoreSettings(8.0),
            "flow": StoreSettings(8.0),
        }
        jpeg = Input.of("visual", frame_codec="jpeg", jpeg_quality=70)
        assert store_settings(RunConfig(inputs={"visual": jpeg})) == StoreSettings(
            8.0, 64, frame_codec="jpeg", jpeg_quality=70
        )

    def test_features_alone_decode_no_media(self, configure: Configure, folder: Path) -> None:
        """Files that no decoder could read stand in for the media."""
        clips = []
        for clip in open_data(configure()).manifest.clips:
            if clip.features and clip.video:
                (folder / f"broken-{clip.video}").write_bytes(clip.id.encode())
                clips.append(clip.model_copy(update={"video": f"broken-{clip.video}", "subtitles": None}))
        write_manifest(folder / "broken.jsonl", clips)
        config = configure("broken.jsonl")
        with pytest.raises(InputError, match=f"{len(clips)} of {len(clips)} clips"):
            open_data(config)
        alone = RunData.open(configure("broken.jsonl", inputs={"flow": config.inputs["flow"]}))
        assert len(alone.source.clips) == len(clips)
        assert alone.source.failed == {}
        assert {alone.present(clip) for clip in alone.source.clips} == {("flow",)}
        sample = alone.dataset("train")[0]
        assert list(sample.inputs) == ["flow"]
        assert sample.inputs["flow"][0].shape == (10, 3)
