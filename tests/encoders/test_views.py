"""Frozen models' vectors of clips changed as in training: several kept of each clip, one shown at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from planted_runs import small_inputs
from tiny_pretrained import picture_folder, sound_folder, text_folder
from torch import Tensor

from mmvideo.clips.manifest import Clip
from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.data.run_data import RunData
from mmvideo.encoders.pretrained_encoder import PretrainedEncoder
from mmvideo.errors import InputError
from mmvideo.modalities.visual import Visual
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.encoding import caches
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.seeding import derive_seed

Configure = Callable[..., RunConfig]
VIEWS = 3
CHANGES: dict[str, dict[str, Any]] = {
    "visual": {"flip_probability": 0.5, "smallest_crop": 0.5, "frame_size": 24},
    "audio": {"snr_db": 0.0, "redraw_noise": True, "gain_db": 6.0},
    "text": {"word_dropout": 0.5},
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EncoderChoice]:
    made = {name: tmp_path_factory.mktemp(name) for name in CHANGES}
    folders = {
        "visual": ("frame_model", picture_folder("clip", made["visual"])),
        "audio": ("sound_model", sound_folder("wav2vec2", made["audio"])),
        "text": ("text_model", text_folder("bert", made["text"])),
    }
    return {
        name: EncoderChoice.of(kind, model=str(folder), views=VIEWS)
        for name, (kind, folder) in folders.items()
    }


@pytest.fixture
def reading(configure: Configure, models: dict[str, EncoderChoice]) -> Callable[..., RunConfig]:
    """The configuration of a run that reads one modality in views; options of the modality beside."""

    def make(name: str, **options: Any) -> RunConfig:
        given = Input.of(name, models[name], **{**CHANGES[name], **options})
        inputs = {**small_inputs(), name: given}
        return configure(modalities=(name,), fusion=FusionChoice.of("single"), inputs=inputs)

    return make


def encoded(config: RunConfig) -> RunData:
    data = RunData.open(config)
    encode_ahead(data, torch.device("cpu"))
    return data


def first(data: RunData, name: str, split: Any = "train") -> Clip:
    return next(clip for clip in data.clips(split) if clip.id in data.modalities[name].present)


def shown(data: RunData, name: str, clip: Clip, epoch: int) -> Tensor:
    dataset = data.dataset("train", training=True)
    return dataset[(epoch, dataset.clips.index(clip))].inputs[name][0]


def same(found: Tensor, kept: Any) -> bool:
    """Whether a window shows these vectors of a clip, of which the last may lie beyond it."""
    return 0 <= len(kept) - len(found) <= 1 and bool((found.numpy() == kept[: len(found)]).all())


@pytest.mark.parametrize("name", CHANGES)
def test_a_sample_in_training_shows_one_of_them_and_every_one_is_met(
    reading: Callable[..., RunConfig], name: str
) -> None:
    data = encoded(reading(name))
    clip = first(data, name)
    kept = [view.read(clip.id)[0] for view in data.modalities[name].views]
    assert len(kept) == VIEWS
    met = set()
    for epoch in range(1, 30):
        found = shown(data, name, clip, epoch)
        (which,) = [i for i, view in enumerate(kept) if same(found, view)]
        met.add(which)
        assert torch.equal(found, shown(data, name, clip, epoch)), "the same epoch shows the same"
    assert met == set(range(VIEWS))


@pytest.mark.parametrize("name", CHANGES)
def test_evaluation_shows_the_clip_as_it_is(reading: Callable[..., RunConfig], name: str) -> None:
    data = encoded(reading(name))
    clip = first(data, name, "test")
    modality = data.modalities[name]
    dataset = data.dataset("test")
    found = dataset[dataset.clips.index(clip)].inputs[name][0]
    assert modality.encoded is not None
    assert same(found, modality.encoded.read(clip.id)[0])
    assert not any(same(found, view.read(clip.id)[0]) for view in modality.views)


def test_a_view_is_what_the_model_makes_of_changed_frames(reading: Callable[..., RunConfig]) -> None:
    data = encoded(reading("visual"))
    clip, visual = first(data, "visual"), data.modalities["visual"]
    assert isinstance(visual, Visual)
    chosen = data.config.inputs["visual"].encoder
    model = chosen.component(chosen.options, None, 8, frozenset({"stem"})).eval()
    assert isinstance(model, PretrainedEncoder)
    with data.source.store.open(data.source.keys[clip.id]) as stored, torch.no_grad():
        frames = torch.from_numpy(stored.frames(range(len(stored.clip.frame_times)))).permute(0, 3, 1, 2)
        for number, view in enumerate(visual.views):
            changed = visual.transforms[True](frames, derive_seed(number, "view", clip.id))
            torch.testing.assert_close(torch.from_numpy(view.read(clip.id)[0]), model.model(changed))


def test_other_changes_are_kept_apart_and_the_clip_as_it_is_is_shared(
    reading: Callable[..., RunConfig],
) -> None:
    some, other = (encoded(reading("visual", flip_probability=p)) for p in (0.5, 1.0))
    clip = first(some, "visual").id
    a, b = some.modalities["visual"], other.modalities["visual"]
    assert a.encoded is not None
    assert b.encoded is not None
    assert a.encoded.path(clip) == b.encoded.path(clip)
    places = {view.path(clip) for view in (*a.views, *b.views)}
    assert len(places) == 2 * VIEWS


def test_a_run_trains_on_them_and_is_evaluated_as_recorded(
    reading: Callable[..., RunConfig], tmp_path: Path
) -> None:
    run = execute(reading("visual"), root=tmp_path)
    assert evaluate_run(run)  # which compares with the record


def test_they_are_filled_ahead(reading: Callable[..., RunConfig]) -> None:
    found = [cache for _, cache in caches([reading("audio")]) if cache is not None]
    assert [cache.title for cache in found] == ["audio", *(f"audio, view {i}" for i in range(VIEWS))]
    for cache in found:
        assert cache.fill(cache.encoded.missing(), 1) is None
    data = RunData.open(reading("audio"))
    data.source.kept.clear()
    encode_ahead(data, torch.device("cpu"))
    filled = [cache.encoded.path(first(data, "audio").id) for cache in found]
    audio = data.modalities["audio"]
    assert audio.encoded is not None
    assert [kept.path(first(data, "audio").id) for kept in (audio.encoded, *audio.views)] == filled


class TestRefused:
    def test_where_nothing_changes(self, reading: Callable[..., RunConfig]) -> None:
        with pytest.raises(InputError, match="nothing of this input changes"):
            encoded(reading("text", word_dropout=0.0))

    def test_crops_in_evaluation(self, reading: Callable[..., RunConfig]) -> None:
        with pytest.raises(InputError, match="`views` keep one crop of a frame for evaluation"):
            encoded(reading("visual", eval_crops=3))

    @pytest.mark.parametrize("changed", [{"frozen": False}, {"cached": False}, {"tune": {"blocks": 1}}])
    def test_a_model_that_changes(self, models: dict[str, EncoderChoice], changed: dict[str, Any]) -> None:
        options = models["visual"].options
        with pytest.raises(ValueError, match="views are kept of a model that does not change"):
            type(options).model_validate({**options.model_dump(), **changed})
