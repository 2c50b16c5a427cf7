"""torchvision backbones: weights give the model's own features, wrong files are refused, frozen is frozen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from mmvideo.encoders.backbones import torchvision_backbone
from mmvideo.encoders.visual import CnnLstm
from mmvideo.errors import InputError
from mmvideo.types import Tokens

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def original() -> nn.Module:
    """A model as somebody else trained it: with its own batch-norm statistics."""
    torch.manual_seed(0)
    model = torchvision.models.get_model(NAME, weights=None, num_classes=7)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module", params=["pth", "safetensors"])
def weights(
    original: nn.Module, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = tmp_path_factory.mktemp("weights") / f"mine.{request.param}"
    state = original.state_dict()
    if request.param == "pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    return str(path)


def test_a_state_dict_gives_the_models_own_features(original: nn.Module, weights: str) -> None:
    """Also where its classifier had another number of classes."""
    made, features = torchvision_backbone(NAME, weights, frozen=False)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    before_classifier = nn.Sequential(
        original.features, original.avgpool, nn.Flatten(), *list(original.classifier)[:-1]
    )
    with torch.no_grad():
        torch.testing.assert_close(
            made.eval()(images), before_classifier.eval()(images), rtol=1e-4, atol=1e-5
        )
    assert features == 1024


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_means_that_only_what_stands_on_it_is_trained(weights: str, frozen: bool) -> None:
    config = CnnLstm.Config(
        backbone=NAME, weights=weights, frozen=frozen, dropout=0.0, normalization="imagenet"
    )
    encoder = CnnLstm(config, None, 8, {"clip"})
    frames = torch.randint(0, 256, (1, 2, 3, 32, 32), dtype=torch.uint8)
    out = encoder(Tokens(frames, torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, 2)))
    assert out.clip is not None
    out.clip.square().sum().backward()
    grads = {name: p.grad is not None for name, p in encoder.named_parameters()}
    assert all(grads[name] == (not frozen) for name in grads if name.startswith("cnn."))
    assert all(grads[name] for name in grads if not name.startswith("cnn."))


def test_statistics_stay_as_they_were_loaded(weights: str) -> None:
    made, _ = torchvision_backbone(NAME, weights, frozen=False)
    before = {name: value.clone() for name, value in made.named_buffers()}
    assert before
    made.train()(torch.randn(4, 3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in made.named_buffers())


@pytest.mark.parametrize("name", [NAME, "resnet18"])
def test_from_scratch_no_clip_depends_on_its_batch_mates(name: str) -> None:
    torch.manual_seed(0)
    made, features = torchvision_backbone(name, None, frozen=False)
    for module in made.modules():
        assert not isinstance(module, nn.modules.batchnorm._BatchNorm)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = torch.randn(3, 3, 48, 48)
    out = made.train()(images)
    assert out.shape == (3, features)
    torch.testing.assert_close(made(images[:1]), out[:1], rtol=1e-3, atol=1e-4)


class TestRefused:
    def test_weights_of_another_model(self, tmp_path: Path) -> None:
        torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "other.pth")
        with pytest.raises(
            InputError,
            match=rf"other.pth does not fit '{NAME}': \d+ tensors are missing or of another shape \(",
        ):
            torchvision_backbone(NAME, str(tmp_path / "other.pth"), frozen=False)

    def test_weights_of_another_width(self, original: nn.Module, tmp_path: Path) -> None:
        state = original.state_dict() | {"features.0.0.weight": torch.zeros(16, 1, 3, 3)}
        torch.save(state, tmp_path / "grey.pth")
        with pytest.raises(
            InputError, match=r"1 tensors are missing or of another shape \(features.0.0.weight"
        ):
            torchvision_backbone(NAME, str(tmp_path / "grey.pth"), frozen=False)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"weights: there is no file .*none.pth"):
            torchvision_backbone(NAME, str(tmp_path / "none.pth"), frozen=False)

    @pytest.mark.parametrize("name", ["text.pth", "text.safetensors"])
    def test_a_file_that_holds_no_weights(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text("these are no weights at all")
        with pytest.raises(InputError, match=f"weights: .*{name}"):
            torchvision_backbone(NAME, str(tmp_path / name), frozen=False)

    def test_unknown_names(self) -> None:
        with pytest.raises(
            InputError, match=r"Unknown visual backbone 'resnet_18'. Did you mean 'resnet18'\?"
        ):
            torchvision_backbone("resnet_18", None, frozen=False)
        with pytest.raises(
            InputError, match=r"Unknown weights of 'resnet18' .*'IMAGENET'.*Known: DEFAULT, IMAGENET1K_V1"
        ):
            torchvision_backbone("resnet18", "IMAGENET", frozen=False)

    def test_frozen_from_scratch(self) -> None:
        with pytest.raises(InputError, match=r"frozen needs weights: a frozen random 'resnet18'"):
            torchvision_backbone("resnet18", None, frozen=True)
