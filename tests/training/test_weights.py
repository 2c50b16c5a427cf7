"""Weights come back to the bit however a device laid them out; no other file is taken for them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from small_models import MODELS, REGISTERED_ENCODERS, encoder_classes, small_batch, small_model
from torch import Tensor, nn

from mmvideo.components import FUSIONS
from mmvideo.errors import InputError
from mmvideo.training.weights import load_weights, save_weights


def share_storage(model: nn.Module) -> int:
    """Make every LSTM's parameters views of one block, as cuDNN does on a GPU; returns how many LSTMs."""
    found = [module for module in model.modules() if isinstance(module, nn.RNNBase)]
    for lstm in found:
        parameters = list(lstm.parameters())
        block = torch.cat([p.detach().flatten() for p in parameters])
        views = block.split([p.numel() for p in parameters])
        for parameter, view in zip(parameters, views, strict=True):
            parameter.data = view.view_as(parameter)
        assert len({p.untyped_storage().data_ptr() for p in parameters}) == 1
    return len(found)


def test_every_fusion_and_encoder_survives_with_shared_storage(tmp_path: Path) -> None:
    fusions, encoders, lstms = set(), set(), 0
    for name, features in MODELS:
        model, other = (small_model(name, features=features, seed=seed).eval() for seed in (0, 1))
        model.prior.copy_(torch.tensor([0.1, 0.2, 0.3]))
        batch, file = small_batch(features=features), tmp_path / f"{name}.safetensors"
        with torch.no_grad():
            before = model(batch).logits
            lstms += share_storage(model) + share_storage(other)
            if not name.startswith("early"):
                with pytest.raises(RuntimeError):
                    save_model(model, str(file))
            save_weights(model, file)
            assert not torch.equal(other(batch).logits, before)
            load_weights(other, file)
            assert torch.equal(other(batch).logits, before), name
        fusions.add(name)
        encoders |= encoder_classes(model)
    assert fusions == set(FUSIONS)
    assert encoders == REGISTERED_ENCODERS
    assert lstms == 2 * (len(FUSIONS) + 2 * 3 + 1)  # `visual`'s; three of features twice; and `early`'s own


class Tied(nn.Module):
    """A weight with two names, a part of another one, and one that is not contiguous."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.read, self.write = nn.Linear(3, 4, bias=False), nn.Linear(3, 4, bias=False)
        self.write.weight = self.read.weight
        whole = torch.randn(6)
        self.register_buffer("whole", whole)
        self.register_buffer("part", whole[:3])
        self.register_buffer("across", torch.randn(2, 5).T)
        self.register_buffer("nothing", torch.zeros(0))
        self.register_buffer("nothing_either", torch.zeros(0))


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    model, other = Tied(0), Tied(1)
    save_weights(model, tmp_path / "w.safetensors")
    written = load_file(tmp_path / "w.safetensors")
    assert set(written) == {"read.weight", "whole", "part", "across", "nothing", "nothing_either"}
    load_weights(other, tmp_path / "w.safetensors")
    assert other.write.weight is other.read.weight
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """`safetensors.torch.save_model` wrote them, with the same names for tied weights."""
    model, other = Tied(0), Tied(1)
    del model.part, other.part, model.across, other.across
    save_model(model, str(tmp_path / "w.safetensors"))
    load_weights(other, tmp_path / "w.safetensors")
    assert torch.equal(other.write.weight, model.write.weight)


def change(edit: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path)

    return apply


@pytest.mark.parametrize(("damage", "message"), [
    (lambda path: path.write_bytes(path.read_bytes()[:-5]), "holds no weights that can be read"),
    (lambda path: path.write_bytes(path.read_bytes()[:20]), "holds no weights that can be read"),
    (lambda path: path.write_bytes(b""), "holds no weights that can be read"),
    (lambda path: path.write_text("weights\n" * 40), "holds no weights that can be read"),
    (lambda path: path.write_bytes(bytes(range(256)) * 9), "holds no weights that can be read"),
    (lambda path: torch.save({"weight": torch.ones(2)}, path), "holds no weights that can be read"),
    (lambda path: (path.unlink(), path.mkdir()), "holds no weights that can be read"),
    (lambda path: path.unlink(), "holds no weights that can be read"),
    (change(lambda t: t.pop("bias")), "bias is missing"),
    (change(lambda t: t.update(more=torch.ones(1))), "more is not in the model"),
    (change(lambda t: t.update(bias=torch.ones(1, 2))), r"bias is float32 \(1, 2\) in the file and float32"),
    (change(lambda t: t.update(bias=t["bias"].half())), r"bias is float16 \(2,\) in the file and float32"),
])  # fmt: skip
def test_any_other_file_is_one_error_that_names_it(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    model, path = nn.Linear(3, 2), tmp_path / "w.safetensors"
    save_weights(model, path)
    damage(path)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError, match=message) as raised:
        load_weights(model, path)
    assert str(path) in str(raised.value)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
