"""Layers of picture and video models: those that the network itself gives, and a learnt sum of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny_pretrained import FRAMES, PICTURES, VIDEOS, picture_folder, timm_folder, video_folder
from torch import Tensor

from mmvideo.components import ENCODERS
from mmvideo.contract.check import encoder_case
from mmvideo.contract.encoders import CONTRACT, Case
from mmvideo.encoders.frame_model import FrameModel
from mmvideo.encoders.picture_models import load_picture_model
from mmvideo.encoders.pretrained_encoder import PretrainedEncoder
from mmvideo.encoders.video_model import VideoModel
from mmvideo.encoders.video_models import load_video_model
from mmvideo.errors import InputError

SEES_BY_TURNS = "videoprism_vision_model"
OF_VIDEO = [kind for kind in VIDEOS if kind != SEES_BY_TURNS]
LAYERS = (0, 1, 2)


def pictures(*shape: int) -> Tensor:
    return torch.randint(0, 256, (*shape, 3, 16, 16), generator=torch.Generator().manual_seed(0)).byte()


@pytest.fixture(scope="session", params=PICTURES)
def picture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return picture_folder(request.param, tmp_path_factory.mktemp(f"layers-{request.param}"))


@pytest.fixture(scope="session", params=OF_VIDEO)
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_folder(request.param, tmp_path_factory.mktemp(f"layers-{request.param}"))


def case(kind: type[PretrainedEncoder], folder: Path, **options: Any) -> Case:
    further = {"short_clips": "pad"} if kind is VideoModel else {}
    given = {"model": str(folder), "dropout": 0.0, **further, **options}
    return encoder_case(kind, kind.Config.model_validate(given))


def test_of_a_picture_its_class_token_or_the_mean_of_its_patches(picture: Path) -> None:
    own = transformers.AutoModel.from_pretrained(picture).eval()
    model = load_picture_model(str(picture), None, "weighted")
    frames = pictures(3)
    with torch.no_grad():
        states = own(model.normalise(frames), output_hidden_states=True).hidden_states
        expected = [s.mean(dim=1) if "siglip" in picture.name else s[:, 0] for s in states]
        for layer in LAYERS:
            found = load_picture_model(str(picture), None, layer)(frames)
            torch.testing.assert_close(found, expected[layer])
        torch.testing.assert_close(model(frames), torch.cat(expected, dim=1))
    assert (model.layers, model.features) == (3, 3 * expected[0].shape[1])


def test_of_a_video_each_tubelets_mean(video: Path) -> None:
    models = {layer: load_video_model(str(video), layer) for layer in (*LAYERS, "weighted")}
    windows = pictures(2, FRAMES)
    with torch.no_grad():
        found = {layer: model(windows) for layer, model in models.items()}
        network, family = models["weighted"].network, models["weighted"].family
        given = {family.pixels: models["weighted"].normalise(windows), **dict(family.options)}
        states = network(**given, output_hidden_states=True).hidden_states
    for layer in LAYERS:
        tokens, steps = states[layer][:, family.before :], found[layer].shape[1]
        if family.order == "place first":
            of_time = torch.stack([tokens[:, t::steps].mean(dim=1) for t in range(steps)], dim=1)
        else:
            of_time = torch.stack([part.mean(dim=1) for part in tokens.chunk(steps, dim=1)], dim=1)
        torch.testing.assert_close(found[layer], of_time)
    torch.testing.assert_close(found["weighted"], torch.cat([found[layer] for layer in LAYERS], dim=2))


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("kind", [FrameModel, VideoModel])
def test_the_contract_holds_for_a_learnt_sum(
    kind: type[PretrainedEncoder], training: bool, tmp_path: Path
) -> None:
    folder = picture_folder("clip", tmp_path) if kind is FrameModel else video_folder("videomae", tmp_path)
    for promise in CONTRACT:
        promise(case(kind, folder, layer="weighted", trunk="transformer"), training)


@pytest.mark.parametrize("kind", [FrameModel, VideoModel])
def test_what_is_learnt_chooses_among_them(kind: type[PretrainedEncoder], tmp_path: Path) -> None:
    folder = picture_folder("dinov2", tmp_path) if kind is FrameModel else video_folder("vjepa2", tmp_path)
    weighted, second = (case(kind, folder, layer=layer).prepare(False) for layer in ("weighted", 1))
    assert isinstance(weighted, PretrainedEncoder)
    assert weighted.layers is not None
    with torch.no_grad():
        weighted.layers.copy_(torch.tensor([-50.0, 50.0, -50.0]))
    second.load_state_dict({k: v for k, v in weighted.state_dict().items() if k != "layers"})
    inputs = case(kind, folder).inputs()
    found, expected = (encoder(inputs).stem for encoder in (weighted, second))
    torch.testing.assert_close(found.values, expected.values)


def test_layers_are_cached_apart_and_the_last_one_as_before(tmp_path: Path) -> None:
    folder = picture_folder("clip", tmp_path)

    def made_by(**options: Any) -> dict[str, Any]:
        encoder = case(FrameModel, folder, **options).prepare(False)
        assert isinstance(encoder, FrameModel)
        return encoder.made_by(None)

    assert "layer" not in made_by()
    assert [made_by(layer=layer)["layer"] for layer in (1, "weighted")] == [1, "weighted"]


class TestRefused:
    def test_layers_that_are_not_there(self, picture: Path, video: Path) -> None:
        for kind, folder in ((FrameModel, picture), (VideoModel, video)):
            with pytest.raises(InputError, match=r"has layers 0 .* to 2 .*; got layer 3"):
                kind.refuse_unusable(kind.Config(model=str(folder), layer=3))

    def test_models_whose_layers_are_no_hidden_states(self, tmp_path: Path) -> None:
        timm = timm_folder(tmp_path)
        with pytest.raises(InputError, match="one of timm's models, the last layer's"):
            FrameModel.refuse_unusable(FrameModel.Config(model=str(timm), layer="weighted"))
        by_turns = video_folder(SEES_BY_TURNS, tmp_path / "prism")
        with pytest.raises(InputError, match="see the places of a frame first"):
            VideoModel.refuse_unusable(VideoModel.Config(model=str(by_turns), layer=1))

    def test_a_layer_below_what_is_trained(self) -> None:
        found = [ENCODERS.resolve(name) for name in ENCODERS]
        readers = [cls for cls in found if "layer" in cls.Config.model_fields]
        assert len(readers) == 4
        for cls in readers:
            with pytest.raises(ValueError, match="layer 1"):
                cls.Config.model_validate({"model": "m", "layer": 1, "tune": {"blocks": 1}})
