"""Which parameters of a pretrained network train, with tiny random models of the families."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import transformers
from planted_runs import small_inputs
from safetensors.torch import load_file, save_file
from tiny_pretrained import PICTURES, picture_folder, save, timm_folder
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmvideo.components import EncoderChoice, FusionChoice
from mmvideo.config import Input, RunConfig, TrainConfig
from mmvideo.contract import encoders
from mmvideo.contract.check import encoder_case
from mmvideo.encoders.base import Encoder
from mmvideo.encoders.frame_model import FrameModel
from mmvideo.encoders.text import TextTransformer
from mmvideo.encoders.tuning import Tune, block_names, blocks_above, with_adapters
from mmvideo.encoders.visual import CnnLstm
from mmvideo.errors import InputError
from mmvideo.runs.evaluate import evaluate_run
from mmvideo.runs.execute import execute
from mmvideo.training.optimization import make_optimizer
from mmvideo.types import Tokens
from mmvideo.vocabulary import Level

Configure = Callable[..., RunConfig]
PIECES = 30
BERT = {
    "vocab_size": PIECES, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 32,
}  # fmt: skip
LAST: dict[str, tuple[str, ...]] = {
    "clip": ("encoder.layers.1.", "post_layernorm."),
    "siglip": ("encoder.layers.1.", "post_layernorm.", "head."),
    "dinov2": ("encoder.layer.1.", "layernorm."),
    "dinov3": ("model.layer.1.", "norm."),
    "timm": ("layer4.",),
    "bert": ("encoder.layer.2.",),
    "torchvision": ("layer4.",),
}
"""By family, how the names of its last block and of what stands on it begin."""
TRUNK: frozenset[Level] = frozenset({"trunk"})
NO_GRADIENT = ("k_proj.bias", "key.bias")  # the softmax ignores it


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A family's folder, made when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            place = tmp_path_factory.mktemp(family)
            if family in PICTURES:
                picture_folder(family, place)
            elif family == "timm":
                timm_folder(place)
            elif family == "torchvision":
                save_file(torchvision.models.resnet18(num_classes=2).state_dict(), place / "w.safetensors")
            else:
                save(transformers.BertModel, transformers.BertConfig(**BERT), place)
            made[family] = place
        return made[family]

    return folder


def make(folder: Path, **options: Any) -> Encoder:
    torch.manual_seed(0)
    if "torchvision" in folder.name:
        own = {"backbone": "resnet18", "weights": str(folder / "w.safetensors"), "picture_size": 16}
        return CnnLstm(CnnLstm.Config.model_validate({**own, "dropout": 0.0, **options}), None, 8, TRUNK)
    kind, told = (TextTransformer, PIECES) if "bert" in folder.name else (FrameModel, None)
    given = {"model": str(folder), "dropout": 0.0, **options}
    return kind(kind.Config.model_validate(given), told, 8, TRUNK)


def inputs(encoder: Encoder, seed: int = 0) -> Tokens:
    drawn = torch.Generator().manual_seed(seed)
    words = isinstance(encoder, TextTransformer)
    side = 32 if type(encoder.pretrained).__name__ == "ResNet" else 16  # timm's and torchvision's
    size, top = ((3, 6), PIECES) if words else ((3, 6, 3, side, 1), 256)
    values = torch.randint(0, top, size, generator=drawn, dtype=torch.int64 if words else torch.uint8)
    if not words:
        values = values.expand(*size[:-1], size[-2])
    return Tokens(values, torch.ones(3, 6, dtype=torch.bool), torch.arange(6.0).expand(3, -1))


def changed(encoder: Encoder, steps: int = 2) -> set[str]:
    """Entries of the pretrained network's state that some steps of training change."""
    assert encoder.pretrained is not None
    before = {name: value.clone() for name, value in encoder.pretrained.state_dict().items()}
    optimizer = make_optimizer(encoder.train(), TrainConfig(learning_rate=1e-2, weight_decay=0.1))
    for step in range(steps):
        trunk = encoder(inputs(encoder, step)).trunk
        assert trunk is not None
        trunk.values.square().mul(torch.arange(8.0)).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return {n for n, value in encoder.pretrained.state_dict().items() if not torch.equal(value, before[n])}


def parameters(network: nn.Module | None) -> set[str]:
    """Names of those that a picture or a text reaches."""
    assert network is not None
    there = {name for name, value in network.named_parameters() if value.numel()}
    return {name for name in without(there) if not name.endswith("mask_token")}


def without(names: set[str]) -> set[str]:
    return {name for name in names if not name.endswith(NO_GRADIENT)}


@pytest.mark.parametrize("family", LAST)
class TestWhatChanges:
    def test_frozen_nothing(self, folders: Callable[[str], Path], family: str) -> None:
        assert changed(make(folders(family), frozen=True)) == set()

    def test_the_last_block_and_what_stands_on_it(self, folders: Callable[[str], Path], family: str) -> None:
        encoder = make(folders(family), tune={"blocks": 1})
        expected = {name for name in parameters(encoder.pretrained) if name.startswith(LAST[family])}
        assert len(expected) > 4
        assert without(changed(encoder)) == expected

    def test_all_but_statistics(self, folders: Callable[[str], Path], family: str) -> None:
        encoder = make(folders(family), frozen=False)
        assert without(changed(encoder)) == parameters(encoder.pretrained)

    @pytest.mark.parametrize("blocks", [0, 1])
    def test_adapters_alone(self, folders: Callable[[str], Path], family: str, blocks: int) -> None:
        pytest.importorskip("peft", reason="peft is an extra")
        if family in ("timm", "torchvision"):
            pytest.skip("a ResNet has no linear layers")
        encoder = make(folders(family), tune={"lora": 2, "blocks": blocks})
        found = changed(encoder)
        trained = {n for n, p in encoder.named_parameters(prefix="") if p.requires_grad and "lora" in n}
        assert len(found) == len(trained) >= 12
        assert all(".lora_A." in name or ".lora_B." in name for name in found)
        assert not blocks or all(name.startswith(LAST[family]) for name in found)


@pytest.mark.parametrize("family", ["clip", "timm", "bert"])
def test_training_mode_is_for_what_is_trained(folders: Callable[[str], Path], family: str) -> None:
    network = make(folders(family), tune={"blocks": 1}).train().pretrained
    assert network is not None
    inside = LAST[family]
    for name, module in network.named_modules():
        expected = f"{name}.".startswith(inside) and not isinstance(module, _BatchNorm)
        assert module.training == expected, name
    assert not any(module.training for module in make(folders(family)).eval().modules())


def twice(encoder: Encoder) -> tuple[Tensor, Tensor]:
    first, second = (encoder(inputs(encoder)).trunk for _ in range(2))
    assert first is not None and second is not None  # noqa: PT018
    return first.values, second.values


def test_a_frozen_part_has_no_dropout(folders: Callable[[str], Path]) -> None:
    bert = folders("bert")
    assert torch.equal(*twice(make(bert, frozen=True).train()))
    assert not torch.equal(*twice(make(bert, tune={"blocks": 1}).train())), "a trained block has its own"
    pytest.importorskip("peft", reason="peft is an extra")
    assert torch.equal(*twice(make(bert, tune={"lora": 2}).train()))
    dropping = make(bert, tune={"lora": 2, "lora_dropout": 0.5})
    changed(dropping)
    assert not torch.equal(*twice(dropping.train()))
    assert torch.equal(*twice(dropping.eval()))


@pytest.mark.parametrize("family", ["clip", "bert"])
def test_what_starts_from_a_model_without_adapters_gives_what_that_gives(
    folders: Callable[[str], Path], family: str
) -> None:
    pytest.importorskip("peft", reason="peft is an extra")
    plain, adapted = make(folders(family), frozen=False), make(folders(family), tune={"lora": 2})
    changed(plain)
    changed(adapted)
    fresh = make(folders(family), tune={"lora": 2})
    state = fresh.state_dict()
    fresh.load_state_dict({n: with_adapters(plain.state_dict(), state)[n] for n in state})
    assert torch.equal(*(encoder.eval()(inputs(plain)).trunk.values for encoder in (plain, fresh)))
    kept = with_adapters(adapted.state_dict(), state)
    assert all(torch.equal(kept[name], value) for name, value in adapted.state_dict().items())


@pytest.mark.parametrize("tune", [{"blocks": 1}, {"lora": 2}])
def test_contract(folders: Callable[[str], Path], tune: dict[str, int]) -> None:
    if "lora" in tune:
        pytest.importorskip("peft", reason="peft is an extra")
    given = FrameModel.Config.model_validate({"model": str(folders("clip")), "dropout": 0.0, "tune": tune})
    for promise in encoders.CONTRACT:
        if promise is not encoders.every_parameter_gets_gradient or "blocks" in tune:  # adapters begin at 0
            promise(encoder_case(FrameModel, given), True)


class TestBlocks:
    def test_of_bert(self) -> None:
        above = blocks_above(transformers.BertModel(transformers.BertConfig(**BERT)))
        assert {name.split(".")[0] + str(n) for name, n in above.items() if "layer." not in name} == {
            "embeddings3", "pooler0"
        }  # fmt: skip
        assert {name.split(".")[2]: n for name, n in above.items() if "layer." in name} == {
            "0": 2,
            "1": 1,
            "2": 0,
        }

    def test_the_convolutions_before_a_speech_model_are_none(self) -> None:
        small = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
        config = transformers.Wav2Vec2Config(
            **small, conv_dim=(32,) * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2
        )
        assert block_names(transformers.Wav2Vec2Model(config)) == ["encoder.layers.0", "encoder.layers.1"]

    @pytest.mark.parametrize(("name", "blocks", "top"), [
        ("resnet10t", [f"layer{n}" for n in range(1, 5)], set()),
        ("tf_efficientnet_lite0", [f"blocks.{n}" for n in range(7)], {"conv_head", "bn2"}),
        ("vit_tiny_patch16_224", [f"blocks.{n}" for n in range(12)], {"norm"}),
        ("convnext_atto", [f"stages.{n}" for n in range(4)], {"head"}),
        ("swin_tiny_patch4_window7_224", [f"layers.{n}" for n in range(4)], {"norm"}),
    ])  # fmt: skip
    def test_of_timm(self, name: str, blocks: list[str], top: set[str]) -> None:
        timm = pytest.importorskip("timm", reason="timm is an extra")
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=0)
        assert block_names(network) == blocks
        above = blocks_above(network)
        assert next(iter(above.values())) == len(blocks)
        assert {n.split(".")[0] for n, k in above.items() if not k} - {blocks[-1].split(".")[0]} == top

    def test_a_network_without_lists_has_none(self) -> None:
        assert set(blocks_above(nn.Embedding(3, 2)).values()) == {0}


class TestRefused:
    def test_more_blocks_than_there_are(self, folders: Callable[[str], Path]) -> None:
        for family, kind, count in (("clip", FrameModel, 2), ("bert", TextTransformer, 3)):
            given = kind.Config.model_validate({"model": str(folders(family)), "tune": {"blocks": count + 1}})
            with pytest.raises(InputError, match=rf"tune.blocks: .* has {count} blocks, not {count + 1}"):
                kind.refuse_unusable(given)

    def test_adapters_of_a_network_without_linear_layers(self, folders: Callable[[str], Path]) -> None:
        pytest.importorskip("peft", reason="peft is an extra")
        with pytest.raises(InputError, match=r"\(ResNet\) have no linear layers .* `tune.blocks`"):
            make(folders("timm"), tune={"lora": 2})

    def test_adapters_without_peft(
        self, folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "peft", None)
        with pytest.raises(InputError, match=r"pip install 'mmvideo\[peft\]'"):
            make(folders("bert"), tune={"lora": 2})

    def test_part_of_a_model_that_is_cached(self) -> None:
        with pytest.raises(InputError, match="cached is for a model that does not change"):
            EncoderChoice.of("frame_model", model="m", cached=True, tune={"blocks": 1})

    def test_part_of_a_model_from_scratch(self) -> None:
        small = CnnLstm.Config(tune=Tune(blocks=1))
        with pytest.raises(InputError, match="frozen, tune and weights are for torchvision's backbones"):
            CnnLstm.refuse_unusable(small)
        with pytest.raises(InputError, match="frozen, tune and weights are for torchvision's backbones"):
            CnnLstm(small, None, 8, frozenset({"trunk"}))
        with pytest.raises(InputError, match="tune needs model"):
            TextTransformer(TextTransformer.Config(tune=Tune(blocks=1)), PIECES, 8, frozenset({"trunk"}))


def test_a_run_with_adapters_is_saved_whole_and_evaluated_to_the_same_numbers(
    configure: Configure, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    pytest.importorskip("peft", reason="peft is an extra")
    encoder = EncoderChoice.of(
        "frame_model", model=str(folders("clip")), tune={"lora": 2, "lora_dropout": 0.1}
    )
    reading = {**small_inputs(), "visual": Input.of("visual", encoder, random_crop=False, frame_size=24)}
    alone = {"modalities": ("visual",), "fusion": FusionChoice.of("single")}
    run = execute(
        configure(**alone, inputs=reading, train=TrainConfig(epochs=1, batch_size=16)), root=tmp_path
    )
    weights = load_file(run / "checkpoints" / "best.safetensors")
    adapters = {name: value for name, value in weights.items() if ".lora_B." in name}
    assert len(adapters) == 12
    assert all(value.any() for value in adapters.values()), "they were trained"
    own = load_file(folders("clip") / "model.safetensors")
    kept = {n.replace(".base_layer", "").partition("model.network.")[2]: v for n, v in weights.items()}
    assert all(torch.equal(kept[name.removeprefix("vision_model.")], value) for name, value in own.items())
    result = json.loads((run / "result.json").read_text())
    assert evaluate_run(run)["nll"] == pytest.approx(result["test"]["nll"], abs=1e-9)
    assert result["costs"]["trainable_parameters"] < result["costs"]["parameters"]
