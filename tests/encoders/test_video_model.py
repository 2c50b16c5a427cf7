"""Pretrained models of video clips: what their own processor and network give, of tiny random models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from planted_runs import small_inputs
from tiny_pretrained import FRAMES, VIDEOS, edit, video_folder
from torch import Tensor

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.contract import encoders
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.data.run_data import RunData
from mmvideo.encoders import video_models
from mmvideo.encoders.video_model import VideoModel
from mmvideo.encoders.video_models import FAMILIES, load_video_model, video_of
from mmvideo.errors import InputError
from mmvideo.modalities.base import View, Window
from mmvideo.modalities.picture_changes import PictureConfig
from mmvideo.modalities.pictures import ClipTransform
from mmvideo.modalities.visual import Visual
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.execute import execute
from mmvideo.store.decode import decode_video
from mmvideo.store.encoded import EncodedClips
from mmvideo.types import Tokens

Configure = Callable[..., RunConfig]
PLAIN = PictureConfig(random_crop=False)


@pytest.fixture(scope="session", params=VIDEOS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: video_folder(kind, tmp_path_factory.mktemp(kind)) for kind in VIDEOS}


@pytest.fixture(scope="session")
def folder(kind: str, folders: dict[str, Path]) -> Path:
    return folders[kind]


def options(folder: Path, **further: Any) -> VideoModel.Config:
    given = {"model": str(folder), "dropout": 0.0, "short_clips": "pad", **further}
    return VideoModel.Config.model_validate(given)


def case(folder: Path, **further: Any) -> Case:
    return encoder_case(VideoModel, options(folder, **further))


def stem_encoder(folder: Path, **further: Any) -> VideoModel:
    return VideoModel(options(folder, **further), None, 8, frozenset({"stem"})).eval()


def clips(*lengths: int, seed: int = 0) -> Tokens:
    """Clips of frames 0.1 s apart, noise in all of them and in the padding."""
    generator, side = torch.Generator().manual_seed(seed), 16
    frames = torch.randint(0, 256, (len(lengths), max(lengths), 3, side, side), generator=generator).byte()
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return Tokens(frames, mask, (torch.arange(max(lengths)) + 0.5).expand(len(lengths), -1) * 0.1)


def tubelets(folder: Path, inputs: Tokens, **further: Any) -> Tokens:
    with torch.no_grad():
        return stem_encoder(folder, **further).tokens(inputs)


class TestContract:
    @pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
    def test_all_of_it(self, folders: dict[str, Path], training: bool) -> None:
        for promise in CONTRACT:
            promise(case(folders["videomae"], trunk="transformer"), training)

    @pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
    def test_what_a_family_may_break(self, folder: Path, training: bool) -> None:
        given = case(folder, stride=3)
        for promise in (
            encoders.masks_and_times_are_consistent,
            encoders.padding_changes_nothing,
            encoders.longer_padding_changes_nothing,
            encoders.alone_is_as_in_a_batch,
        ):
            promise(given, training)

    def test_trained_models_keep_it_too(self, folder: Path) -> None:
        tuned = case(folder, frozen=False)
        encoders.alone_is_as_in_a_batch(tuned, True)
        encoder = tuned.prepare(True)
        encoders.total(encoder(tuned.inputs())).backward()
        still = [n for n, p in encoder.get_submodule("model").named_parameters() if p.grad is None]
        assert still == []

    def test_its_last_blocks_alone_can_be_trained(self, folders: dict[str, Path]) -> None:
        encoder = case(folders["videomae"], tune={"blocks": 1}).prepare(True)
        trained = {n for n, p in encoder.get_submodule("model").named_parameters() if p.requires_grad}
        assert {name.split(".layer.")[-1][:1] for name in trained if ".layer." in name} == {"1"}
        VideoModel.refuse_unusable(options(folders["videomae"], tune={"blocks": 2}))
        with pytest.raises(InputError, match="has 2 blocks, not 3"):
            VideoModel.refuse_unusable(options(folders["videomae"], tune={"blocks": 3}))

    def test_padding_that_counts_as_frames_fails(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = VideoModel.tokens

        def twin(self: VideoModel, inputs: Tokens) -> Tokens:
            there = inputs.mask.any(dim=1, keepdim=True).expand_as(inputs.mask)
            return right(self, Tokens(inputs.values, there, inputs.time))

        monkeypatch.setattr(VideoModel, "tokens", twin)
        with pytest.raises(AssertionError, match="with 1 more padded items"):
            encoders.longer_padding_changes_nothing(case(folders["videomae"]), False)


class TestAgreement:
    """The vectors are those of the family's own processor and network."""

    @staticmethod
    def own(folder: Path, frames: Tensor) -> Tensor:
        """(S, F), from what the family's papers say of the order of tokens."""
        kind = transformers.AutoConfig.from_pretrained(folder).model_type
        cls, further = getattr(transformers, FAMILIES[kind].network), {}
        if kind == "vjepa2":
            further["skip_predictor"] = True
        processor = transformers.AutoVideoProcessor.from_pretrained(folder)
        given = processor([frames], return_tensors="pt")
        if FAMILIES[kind].pixels not in given:  # VideoPrism's processor is another model's
            given = {"pixel_values_videos": given["pixel_values_videos"]}
        with torch.no_grad():
            tokens = cls.from_pretrained(folder).eval()(**given, **further).last_hidden_state[0]
        places, times = 4, FRAMES if kind in ("timesformer", "videoprism_vision_model") else FRAMES // 2
        if kind == "timesformer":
            of_time = [[1 + times * p + t for p in range(places)] for t in range(times)]
        else:
            first = 1 if kind == "vivit" else 0
            of_time = [[first + places * t + p for p in range(places)] for t in range(times)]
        return torch.stack([tokens[some].mean(dim=0) for some in of_time])

    @staticmethod
    def vectors(folder: Path, frames: Tensor) -> Tensor:
        model = load_video_model(str(folder))
        squares = ClipTransform(PLAIN, model.video.picture.framing, training=False)(frames, 0)
        with torch.no_grad():
            return model(squares[None])[0]

    def test_on_a_real_clip(self, folder: Path, shared_data: Path) -> None:
        path = next((shared_data / "ucf101_mini").rglob("*.avi"))
        decoded = decode_video(path, rate=8.0, size=64)
        assert decoded is not None
        frames = torch.from_numpy(decoded.frames[:FRAMES]).permute(0, 3, 1, 2)
        assert frames.shape[2:] != frames.shape[3:2:-1]
        found, own = self.vectors(folder, frames), self.own(folder, frames)
        torch.testing.assert_close(found, own, rtol=0, atol=1e-4)

    def test_on_made_up_frames(self, folder: Path) -> None:
        frames = torch.randint(0, 256, (FRAMES, 3, 20, 30), generator=torch.Generator().manual_seed(1)).byte()
        torch.testing.assert_close(self.vectors(folder, frames), self.own(folder, frames), rtol=0, atol=1e-4)

    def test_a_class_default_for_normalisation_would_be_seen(self, folder: Path, tmp_path: Path) -> None:
        frames = clips(FRAMES).values[0]
        right = self.vectors(folder, frames)
        model = load_video_model(str(folder))
        cls = getattr(transformers, VIDEOS[model.network.config.model_type][1])
        usual = replace(model.video.picture, mean=tuple(cls.image_mean), std=tuple(cls.image_std))
        twin = video_models.VideoNetwork(
            model.network, model.family, replace(model.video, picture=usual), "twin"
        )
        squares = ClipTransform(PLAIN, usual.framing, training=False)(frames, 0)
        with torch.no_grad():
            assert (twin(squares[None])[0] - right).abs().max() > 1e-2

    def test_vivit_is_offset_unless_its_file_says_no(self, tmp_path: Path) -> None:
        picture = video_of(str(video_folder("vivit", tmp_path / "a"))).picture
        at_zero = [-mean / std for mean, std in zip(picture.mean, picture.std, strict=True)]
        torch.testing.assert_close(at_zero, [(-1 - 0.1) / 0.3, (-1 - 0.4) / 0.2, (-1 - 0.7) / 0.25])
        plain = video_of(str(video_folder("vivit", tmp_path / "b", offset=False))).picture
        torch.testing.assert_close(-plain.mean[0] / plain.std[0], -0.1 / 0.3)


class TestTime:
    """Without layers, a token knows its own place alone: a changed frame changes its tubelet's vector."""

    @pytest.fixture
    def shallow(self, kind: str, tmp_path: Path) -> Path:
        layers = ("num_hidden_layers", "num_spatial_layers", "num_temporal_layers")
        given = {name: 0 for name in layers if name in VIDEOS[kind][3]}
        return video_folder(kind, tmp_path, given)

    @staticmethod
    def ensure_local(folder: Path) -> None:
        model, frames = load_video_model(str(folder)), clips(FRAMES).values
        for changed in range(FRAMES):
            other = frames.clone()
            other[:, changed] = 255 - other[:, changed]
            with torch.no_grad():
                moved = (model(frames) - model(other)).abs().amax(dim=2)[0] > 1e-6
            assert moved.nonzero().flatten().tolist() == [changed // model.video.tubelet]

    def test_a_frame_is_in_the_vector_of_its_time(self, shallow: Path) -> None:
        self.ensure_local(shallow)

    def test_another_order_of_tokens_fails(
        self, shallow: Path, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        orders = {"time first": "place first", "place first": "time first"}
        family: Any = FAMILIES[kind]
        monkeypatch.setitem(FAMILIES, kind, replace(family, order=orders[family.order]))
        with pytest.raises(AssertionError):
            self.ensure_local(shallow)

    def test_long_clips_are_windows_each_moment_once(self, folder: Path) -> None:
        per = load_video_model(str(folder)).video.tubelet
        for count in (4, 8, 9, 10, 12):
            found = tubelets(folder, clips(count))
            times = found.time[0]
            starts = [*range(0, count - 3, 4), *([count - 4] if count % 4 else [])]
            centres = [0.1 * (s + per * (i + 0.5)) for s in starts for i in range(4 // per)]
            kept = [c for i, c in enumerate(centres) if all(c > b + 1e-6 for b in centres[:i])]
            torch.testing.assert_close(times, torch.tensor(kept))
            assert found.mask.all()

    def test_a_windows_vectors_are_those_of_its_frames_alone(self, folder: Path) -> None:
        whole, last = clips(8), clips(8)
        last = Tokens(last.values[:, 4:], last.mask[:, 4:], last.time[:, 4:])
        found, alone = tubelets(folder, whole), tubelets(folder, last)
        half = found.time.shape[1] // 2
        torch.testing.assert_close(found.values[:, half:], alone.values)
        torch.testing.assert_close(found.time[:, half:], alone.time)

    def test_of_what_overlaps_the_first_window_counts(self, folders: dict[str, Path]) -> None:
        inputs = clips(6)
        found = tubelets(folders["videomae"], inputs, stride=2)
        assert found.time[0].tolist() == pytest.approx([0.1, 0.3, 0.5])
        begin, end = (
            tubelets(folders["videomae"], Tokens(*(part[:, i : i + 4] for part in parts)))
            for i in (0, 2)
            for parts in [(inputs.values, inputs.mask, inputs.time)]
        )
        torch.testing.assert_close(found.values[0, :2], begin.values[0])
        torch.testing.assert_close(found.values[0, 2], end.values[0, 1])

    def test_frames_are_left_out_as_the_option_says_or_as_its_files_do(
        self, folders: dict[str, Path], tmp_path: Path
    ) -> None:
        assert tubelets(folders["timesformer"], clips(8), frame_step=2).time[0].tolist() == pytest.approx(
            [0.05, 0.25, 0.45, 0.65]
        )
        slow = video_folder("timesformer", tmp_path / "slow", fps=3)
        assert tubelets(slow, clips(10)).time[0].tolist() == pytest.approx([0.05, 0.35, 0.65, 0.95])
        fast = video_folder("timesformer", tmp_path / "fast", fps=24)
        with pytest.raises(InputError, match=r"24 frames a second, and there are 10: raise data.frame_rate"):
            tubelets(fast, clips(10))
        assert tubelets(fast, clips(4), frame_step=1).mask.sum() == 4


class TestShortClips:
    def test_vectors_of_repetitions_are_masked(self, folder: Path) -> None:
        per = load_video_model(str(folder)).video.tubelet
        found = tubelets(folder, clips(4, 1, 3, 2))
        assert found.mask.sum(dim=1).tolist() == [-(-count // per) for count in (4, 1, 3, 2)]
        assert found.time[1, 0].item() == pytest.approx(0.05)

    def test_the_last_frame_is_what_is_repeated(self, folders: dict[str, Path]) -> None:
        inputs = clips(4, 3)
        inputs.values[1, 3] = inputs.values[1, 2]
        found = tubelets(folders["videomae"], inputs)
        shown_twice = tubelets(folders["videomae"], replace(inputs, mask=torch.ones_like(inputs.mask)))
        torch.testing.assert_close(found.values[1], shown_twice.values[1])
        assert found.time[1].tolist() == pytest.approx([0.1, 0.25])  # the mean of frames of its own

    def test_a_model_of_fixed_windows_refuses_them(self, folder: Path) -> None:
        if FAMILIES[folder.name.rstrip("0")].masks == "fixed window":
            with pytest.raises(
                InputError, match=r"^2 frames to see, and the model takes 4: .*short_clips=pad"
            ):
                tubelets(folder, clips(2), short_clips="refuse")
        else:
            assert tubelets(folder, clips(2), short_clips="refuse").mask.sum() == 1

    def test_vjepa_is_given_whole_tubelets(self, folders: dict[str, Path]) -> None:
        """It drops an odd last frame."""
        inputs = clips(3, seed=1)
        changed = inputs.values.clone()
        changed[:, 2] = 255 - changed[:, 2]
        a, b = (tubelets(folders["vjepa2"], replace(inputs, values=v)) for v in (inputs.values, changed))
        assert a.mask.sum() == 2
        assert ((a.values - b.values).abs().amax(dim=2) > 1e-4).all()


class TestAhead:
    @staticmethod
    def reading(configure: Configure, folder: Path, **further: Any) -> RunConfig:
        sampling = {key: further.pop(key) for key in ("sampling", "frames") if key in further}
        encoder = EncoderChoice.of("video_model", model=str(folder), **further)
        visual = Input.of("visual", encoder, random_crop=False, frame_size=32, **sampling)
        return configure(
            modalities=("visual",),
            fusion=FusionChoice.of("single"),
            inputs={**small_inputs(), "visual": visual},
        )

    @staticmethod
    def ahead(config: RunConfig) -> tuple[RunData, EncodedClips]:
        data = RunData.open(config)
        data.source.kept.clear()
        encode_ahead(data, torch.device("cpu"))
        visual = data.modalities["visual"]
        assert isinstance(visual, Visual)
        assert visual.encoded is not None
        return data, visual.encoded

    def test_what_is_cached_is_what_frames_give(self, configure: Configure, folders: dict[str, Path]) -> None:
        data, _ = self.ahead(self.reading(configure, folders["videomae"]))
        plain = RunData.open(self.reading(configure, folders["videomae"], cached=False))
        (values, times), (cached, cached_times) = (
            d.dataset("test")[0].inputs["visual"] for d in (plain, data)
        )
        assert len(values) >= 2 * FRAMES, "several windows"
        inputs = Tokens(values[None], torch.ones(1, len(values), dtype=torch.bool), times[None])
        found = tubelets(folders["videomae"], inputs)
        torch.testing.assert_close(found.values[0], cached)
        torch.testing.assert_close(found.time[0], cached_times)

    def test_a_piece_between_two_vectors_is_not_absent(
        self, configure: Configure, folders: dict[str, Path]
    ) -> None:
        data, encoded = self.ahead(self.reading(configure, folders["videomae"]))
        visual = data.modalities["visual"]
        clip = next(clip for clip in data.source.clips if clip.id in visual.present)
        centres = encoded.read(clip.id)[1]
        with data.source.store.open(data.source.keys[clip.id]) as stored:
            start = float(stored.clip.frame_times[1]) - 0.01
            values, seconds = visual.sample(clip, stored, Window(start, 0.02, 1.0, 0, View()), training=False)
            assert not ((centres >= start) & (centres < start + 0.02)).any()
            assert len(values) == len(seconds) == 1
            beyond, _ = visual.sample(clip, stored, Window(9.0, 0.02, 1.0, 0, View()), training=False)
            assert len(beyond) == 0

    def test_a_run_trains_on_them(
        self, configure: Configure, folders: dict[str, Path], tmp_path: Path
    ) -> None:
        config = self.reading(configure, folders["timesformer"])
        assert (execute(config, root=tmp_path) / "result.json").exists()

    def test_what_decides_the_vectors_is_part_of_their_name(
        self, folders: dict[str, Path], tmp_path: Path
    ) -> None:
        other = {"image_mean": [0.5, 0.5, 0.5]}
        made = [
            stem_encoder(folders["videomae"], **options).made_by(None)
            for options in ({}, {"stride": 2}, {"frame_step": 2}, {"short_clips": "refuse"})
        ]
        made += [stem_encoder(video_folder("videomae", tmp_path, **other)).made_by(None)]
        assert len({json.dumps(one, sort_keys=True) for one in made}) == 5

    def test_short_clips_are_refused_by_name_or_counted(
        self, configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Clips of 8 frames for a model of 16."""
        long = video_folder("timesformer", tmp_path, {"num_frames": 16})
        with pytest.raises(InputError, match=r"clip '\S+' has 8 frames to see, and the model takes 16"):
            self.ahead(self.reading(configure, long))
        data, encoded = self.ahead(self.reading(configure, long, short_clips="pad"))
        assert f"visual: {len(data.modalities['visual'].present)} clips had fewer" in capsys.readouterr().err
        name = next(iter(data.modalities["visual"].present))
        assert len(encoded.read(name)[1]) == 8

    def test_what_is_cached_is_of_all_frames(self, configure: Configure, folders: dict[str, Path]) -> None:
        data = RunData.open(self.reading(configure, folders["videomae"], sampling="uniform"))
        encode_ahead(data, torch.device("cpu"))
        assert data.modalities["visual"].encoded is None
        with pytest.raises(InputError, match="sampling 'uniform' would not choose what it sees"):
            self.ahead(self.reading(configure, folders["videomae"], sampling="uniform", cached=True))


class TestRefused:
    def refused(self, match: str, **given: Any) -> None:
        with pytest.raises(InputError, match=match):
            VideoModel.refuse_unusable(VideoModel.Config(**given))

    def test_no_model_or_none_there(self, tmp_path: Path) -> None:
        self.refused("needs its option `model`")
        self.refused("there is no such folder", model=str(tmp_path / "mea"))

    def test_a_folder_without_a_preprocessor(self, tmp_path: Path) -> None:
        (video_folder("videomae", tmp_path) / "video_preprocessor_config.json").unlink()
        self.refused("has no video_preprocessor_config.json or preprocessor_config.json", model=str(tmp_path))

    def test_files_that_leave_something_to_a_class(self, tmp_path: Path) -> None:
        video_folder("videomae", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.pop("num_frames"))
        self.refused("config.json does not say num_frames", model=str(tmp_path))
        edit(tmp_path / "video_preprocessor_config.json", lambda file: file.pop("image_mean"))
        self.refused("does not say image_mean", model=str(tmp_path))

    def test_pictures_of_another_size_than_the_model_takes(self, kind: str, tmp_path: Path) -> None:
        other = {"height": 24, "width": 24}
        name = "size" if kind.startswith("videoprism") else "crop_size"
        video_folder(kind, tmp_path, **{name: other})
        self.refused(
            "takes pictures of 16 pixels, and its preprocessor makes them of 24", model=str(tmp_path)
        )

    def test_code_from_the_hub_and_another_kind(self, tmp_path: Path) -> None:
        video_folder("videomae", tmp_path / "a")
        edit(tmp_path / "a/config.json", lambda file: file.update(auto_map={"AutoModel": "mine.Model"}))
        self.refused("needs code that comes with it", model=str(tmp_path / "a"))
        transformers.CLIPVisionConfig().save_pretrained(tmp_path / "b")
        self.refused("Unknown kind of video model.*'clip_vision_model'", model=str(tmp_path / "b"))

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        video_folder("videomae", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(num_hidden_layers=3))
        with pytest.raises(InputError, match="do not fit VideoMAEModel: 15 are missing"):
            load_video_model(str(tmp_path))
        edit(tmp_path / "config.json", lambda file: file.update(hidden_size=32))
        with pytest.raises(InputError, match="neither a local folder nor a hub name that loads"):
            load_video_model(str(tmp_path))

    def test_weights_that_are_no_safetensors(self, tmp_path: Path) -> None:
        weights = video_folder("videomae", tmp_path) / "model.safetensors"
        torch.save({}, tmp_path / "pytorch_model.bin")
        weights.unlink()
        with pytest.raises(InputError, match=r"model\.safetensors"):
            load_video_model(str(tmp_path))

    def test_a_stride_that_leaves_out_frames(self, folders: dict[str, Path]) -> None:
        self.refused("windows of 4 frames, 5 apart, leave out frames", model=str(folders["vivit"]), stride=5)
