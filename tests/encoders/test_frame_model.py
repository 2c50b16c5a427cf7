"""Pretrained picture models on frames: what their own processor and network give, of tiny random models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from planted_runs import small_inputs
from safetensors.torch import load_file, save_file
from tiny_pretrained import PICTURES, SIZE, edit, picture_folder, timm_folder
from torch import Tensor

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig
from mmvideo.contract import encoders
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.data.run_data import RunData
from mmvideo.encoders.frame_model import FrameModel
from mmvideo.encoders.picture_models import load_picture_model, picture_of
from mmvideo.errors import InputError
from mmvideo.files import Damaged
from mmvideo.modalities.picture_changes import PictureConfig
from mmvideo.modalities.pictures import ClipTransform
from mmvideo.modalities.visual import Visual
from mmvideo.runs.assembly import encode_ahead
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.runs.own_components import check_own_components
from mmvideo.store.encoded import EncodedClips

Configure = Callable[..., RunConfig]
PLAIN = PictureConfig(random_crop=False)


@pytest.fixture(scope="session", params=[*PICTURES, "timm"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(request.param)
    return timm_folder(made) if request.param == "timm" else picture_folder(request.param, made)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picture_folder("clip", tmp_path_factory.mktemp("clip"))


def frames(count: int = 5, height: int = 50, width: int = 70) -> Tensor:
    """Pictures with something large and something small in them, (N, 3, H, W) uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + i) + c) + np.cos(y / (4 + c) - i) for i in range(count) for c in range(3)]
    noise = rng.normal(0, 0.1, (count * 3, height, width))
    scaled = 127 + 60 * (np.array(waves) + noise)
    return torch.from_numpy(scaled.clip(0, 255).astype(np.uint8)).view(count, 3, height, width)


def own_vectors(folder: Path, pictures: Tensor) -> Tensor:
    """What the family's own processor and network give."""
    if '"pretrained_cfg"' in (folder / "config.json").read_text():
        import timm
        from PIL import Image
        from safetensors.torch import load_file

        cfg = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
        network = timm.create_model("resnet10t", pretrained=False)
        network.load_state_dict(load_file(folder / "model.safetensors"))
        keys = ("input_size", "mean", "std", "crop_pct", "interpolation", "crop_mode")
        see = timm.data.create_transform(**{key: cfg[key] for key in keys}, is_training=False)
        given = torch.stack([see(Image.fromarray(p.permute(1, 2, 0).numpy())) for p in pictures])
        with torch.no_grad():
            return network.eval().forward_head(network.forward_features(given), pre_logits=True)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    values = transformers.AutoImageProcessor.from_pretrained(folder)(list(pictures), return_tensors="pt")
    with torch.no_grad():
        return model(**values).pooler_output


def framed(folder: Path, pictures: Tensor) -> Tensor:
    """The pictures as the modality gives them."""
    return ClipTransform(PLAIN, picture_of(str(folder), None).framing, training=False)(pictures, 0)


@pytest.mark.parametrize("width", [70, 68])  # an even margin beside the crop, and an odd one
def test_a_frames_vector_is_that_of_the_familys_own_processor_and_network(folder: Path, width: int) -> None:
    model, pictures = load_picture_model(str(folder), None), frames(width=width)
    with torch.no_grad():
        found = model(framed(folder, pictures))
    rounding = 1e-2 if "dinov3" in folder.name else 1e-4  # that processor does not round after resizing
    torch.testing.assert_close(found, own_vectors(folder, pictures), rtol=0, atol=rounding)


def case(folder: Path, **options: Any) -> Case:
    given = FrameModel.Config(model=str(folder), dropout=0.0, trunk="transformer", **options)
    return encoder_case(FrameModel, given)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_contract(clip_folder: Path, training: bool) -> None:
    for promise in CONTRACT:
        promise(case(clip_folder), training)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_what_a_family_may_break(folder: Path, training: bool) -> None:
    for promise in (
        encoders.masks_and_times_are_consistent,
        encoders.padding_changes_nothing,
        encoders.alone_is_as_in_a_batch,
        encoders.same_twice,
    ):
        promise(case(folder), training)


def test_trained_models_keep_it_too(folder: Path) -> None:
    tuned = case(folder, frozen=False, cached=False)
    encoders.alone_is_as_in_a_batch(tuned, True)
    encoder = tuned.prepare(True)
    encoders.total(encoder(tuned.inputs())).backward()
    assert any(p.grad is not None for p in encoder.get_submodule("model").parameters())


def test_batch_norm_that_learns_statistics_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = case(timm_folder(tmp_path), frozen=False, cached=False)
    monkeypatch.setattr("mmvideo.encoders.tuning._BatchNorm", type("NoModule", (), {}))
    with pytest.raises(AssertionError, match="alone instead of in a batch"):
        encoders.alone_is_as_in_a_batch(tuned, True)


@pytest.mark.parametrize("trunk", ["none", "lstm"])
def test_other_trunks_keep_the_contract(clip_folder: Path, trunk: str) -> None:
    given = FrameModel.Config.model_validate({"model": str(clip_folder), "dropout": 0.0, "trunk": trunk})
    for promise in (
        encoders.padding_changes_nothing,
        encoders.alone_is_as_in_a_batch,
        encoders.absent_clips_are_zeros,
        encoders.every_parameter_gets_gradient,
    ):
        promise(encoder_case(FrameModel, given), True)


def test_a_frozen_model_is_never_trained_nor_in_training_mode(clip_folder: Path) -> None:
    encoder = FrameModel(FrameModel.Config(model=str(clip_folder)), None, 8, frozenset({"stem"})).train()
    assert not any(module.training for module in encoder.model.network.modules())
    assert encoder.project.training
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())


def test_a_class_default_for_normalisation_would_be_seen(clip_folder: Path) -> None:
    default = transformers.CLIPImageProcessor(size={"shortest_edge": 20}, crop_size=SIZE)
    model = transformers.AutoModel.from_pretrained(clip_folder).eval()
    with torch.no_grad():
        wrong = model(**default(list(frames()), return_tensors="pt")).pooler_output
    assert (wrong - own_vectors(clip_folder, frames())).abs().max() > 1e-2


class TestAhead:
    @pytest.fixture
    def config(self, configure: Configure, clip_folder: Path) -> RunConfig:
        return self.reading(configure, clip_folder)

    @staticmethod
    def reading(configure: Configure, folder: Path, **options: Any) -> RunConfig:
        encoder = EncoderChoice.of("frame_model", model=str(folder), **options)
        inputs = {**small_inputs(), "visual": Input.of("visual", encoder, random_crop=False, frame_size=24)}
        return configure(modalities=("visual",), fusion=FusionChoice.of("single"), inputs=inputs)

    @staticmethod
    def ahead(config: RunConfig) -> tuple[RunData, EncodedClips]:
        data = RunData.open(config)
        data.source.kept.clear()
        encode_ahead(data, torch.device("cpu"))
        visual = data.modalities["visual"]
        assert isinstance(visual, Visual)
        assert visual.encoded is not None
        return data, visual.encoded

    def test_what_is_cached_is_what_frames_give(
        self, config: RunConfig, configure: Configure, clip_folder: Path
    ) -> None:
        data, _ = self.ahead(config)
        plain = RunData.open(self.reading(configure, clip_folder, cached=False))
        encoder = FrameModel(config.inputs["visual"].encoder.options, None, 8, frozenset({"stem"})).eval()
        (values, times), (cached, cached_times) = (
            d.dataset("test")[0].inputs["visual"] for d in (plain, data)
        )
        torch.testing.assert_close(encoder.frame_features(values), cached)
        assert torch.equal(times, cached_times)

    def test_other_weights_or_another_preprocessing_are_computed_anew(
        self, config: RunConfig, configure: Configure, tmp_path: Path
    ) -> None:
        first, again = self.ahead(config)[1], self.ahead(config)[1]
        name = next(iter(first.clip_keys))
        assert first.path(name) == again.path(name)
        other = picture_folder("clip", tmp_path / "a", image_mean=[0.5, 0.5, 0.5])
        assert self.ahead(self.reading(configure, other))[1].path(name) != first.path(name)

    def test_files_edited_between_two_runs_of_a_process(
        self, configure: Configure, clip_folder: Path, tmp_path: Path
    ) -> None:
        folder = shutil.copytree(clip_folder, tmp_path / "edited")
        data = RunData.open(self.reading(configure, folder))

        def encoded() -> EncodedClips:
            opened = RunData.open(data.config)
            assert opened.source.kept is data.source.kept, "what runs of a process share"
            encode_ahead(opened, torch.device("cpu"))
            found = opened.modalities["visual"].encoded
            assert found is not None
            return found

        found = [encoded(), encoded()]
        assert found[0] is found[1]
        edit(folder / "preprocessor_config.json", lambda file: file.update(image_mean=[0.5, 0.5, 0.5]))
        found.append(encoded())
        state = load_file(folder / "model.safetensors")
        save_file({name: 2 * value for name, value in state.items()}, folder / "model.safetensors")
        found.append(encoded())
        name = next(iter(found[0].clip_keys))
        assert len({one.path(name) for one in found}) == 3

    def test_a_run_trains_on_them_and_is_not_evaluated_on_another_models(
        self, configure: Configure, clip_folder: Path, tmp_path: Path
    ) -> None:
        folder = shutil.copytree(clip_folder, tmp_path / "model")
        run = execute(self.reading(configure, folder), root=tmp_path / "runs")
        result = json.loads((run / "result.json").read_text())
        assert evaluate_run(run)["nll"] == pytest.approx(result["test"]["nll"], abs=1e-9)
        edit(folder / "preprocessor_config.json", lambda file: file.update(image_mean=[0.5, 0.5, 0.5]))
        with pytest.raises(Damaged, match=r"inputs\.visual\.encoder\.options\.model: .* content was changed"):
            evaluate_run(run)

    def test_frames_stored_smaller_than_the_model_sees_are_refused_before_decoding(
        self, config: RunConfig, tmp_path: Path
    ) -> None:
        small = Input.of("visual", config.inputs["visual"].encoder, random_crop=False, frame_size=10)
        changed = config.model_copy(update={"inputs": {**config.inputs, "visual": small}})
        with pytest.raises(
            InputError, match=r"inputs.visual: .*picture_size 16 is larger than frame_size 10"
        ):
            check_own_components(changed, tmp_path)


class TestRefused:
    def refused(self, match: str, **options: Any) -> None:
        with pytest.raises(InputError, match=match):
            FrameModel.refuse_unusable(FrameModel.Config(**options))

    def test_no_model(self) -> None:
        self.refused("needs its option `model`")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        self.refused("there is no such folder", model=str(tmp_path / "clop"))

    def test_a_folder_without_a_preprocessor(self, tmp_path: Path) -> None:
        (picture_folder("clip", tmp_path) / "preprocessor_config.json").unlink()
        self.refused("has no preprocessor_config.json", model=str(tmp_path))

    def test_a_preprocessor_that_leaves_normalisation_to_its_class(self, tmp_path: Path) -> None:
        picture_folder("clip", tmp_path)
        edit(
            tmp_path / "preprocessor_config.json",
            lambda file: [file.pop("image_mean"), file.pop("image_std")],
        )
        self.refused("does not say image_mean, image_std", model=str(tmp_path))

    def test_a_model_that_needs_code_from_the_hub(self, tmp_path: Path) -> None:
        picture_folder("clip", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(auto_map={"AutoModel": "mine.Model"}))
        self.refused("needs code that comes with it", model=str(tmp_path))

    def test_another_kind_of_model(self, tmp_path: Path) -> None:
        transformers.BertConfig().save_pretrained(tmp_path)
        self.refused("Unknown kind of picture model.*'bert'", model=str(tmp_path))

    def test_weights_that_do_not_fit(self, tmp_path: Path) -> None:
        picture_folder("clip", tmp_path)
        edit(tmp_path / "config.json", lambda file: file.update(hidden_size=32))
        with pytest.raises(InputError, match="neither a local folder nor a hub name that loads"):
            load_picture_model(str(tmp_path), None)
        edit(tmp_path / "config.json", lambda file: file.update(hidden_size=16, num_hidden_layers=3))
        with pytest.raises(InputError, match="do not fit CLIPVisionModel: 16 are missing"):
            load_picture_model(str(tmp_path), None)

    def test_a_processor_whose_pictures_the_model_does_not_take(self, tmp_path: Path) -> None:
        picture_folder("clip", tmp_path, crop_size={"height": 24, "width": 24}, size={"shortest_edge": 24})
        with pytest.raises(InputError, match="does not take the pictures of 24 pixels"):
            load_picture_model(str(tmp_path), None)

    def test_pictures_that_are_no_squares(self, tmp_path: Path) -> None:
        picture_folder("siglip", tmp_path, size={"height": 16, "width": 24})
        self.refused("what is understood is one square", model=str(tmp_path))

    def test_networks_of_timm_with_the_same_weights_are_told_apart(self, tmp_path: Path) -> None:
        folder = timm_folder(tmp_path)
        made = [load_picture_model(str(folder), None).made_by]
        for change in ({"global_pool": "max"}, {"model_args": {"act_layer": "gelu"}}):
            edit(folder / "config.json", lambda file, change=change: file.update(change))
            made.append(load_picture_model(str(folder), None).made_by)
        assert len({json.dumps(one, sort_keys=True) for one in made}) == 3

    def test_timm(self, tmp_path: Path) -> None:
        made = timm_folder(tmp_path)
        weights = str(made / "model.safetensors")
        self.refused("Unknown timm model 'resnet10x'", model="resnet10x", weights=weights)
        with pytest.raises(InputError, match="does not fit 'resnet14t'"):
            load_picture_model("resnet14t", weights)
        with pytest.raises(InputError, match=r"is no \.safetensors file"):
            load_picture_model("resnet10t", str(tmp_path / "absent.safetensors"))
        edit(made / "config.json", lambda file: file["pretrained_cfg"].pop("mean"))
        self.refused("does not say mean", model=str(made))

    def test_without_timm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "timm", None)
        self.refused(r"pip install 'mmvideo\[timm\]'", model="resnet10t", weights="w.safetensors")
