"""`mmvideo encoders` lists what the encoders' own tables hold, and what these say is so."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import transformers
from small_models import OF_FOLDERS

import mmvideo.encoders
from mmvideo.cli import main
from mmvideo.cli.encoders import families
from mmvideo.components import ENCODERS
from mmvideo.pretrained import Family

LISTED = {id(family) for name in ENCODERS for family in ENCODERS.resolve(name).families.values()}
OF_TRANSFORMERS = [
    family
    for name in ENCODERS
    for family in families(ENCODERS.resolve(name))
    if hasattr(transformers, family.network)
]


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["encoders", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_every_encoder_and_every_family_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys).splitlines()
    for name in ENCODERS:
        assert sum(line.startswith(f"  {name} ") for line in lines) == 1
        for family in families(ENCODERS.resolve(name)):
            (line,) = (line for line in lines if line.startswith(f"    {family.title}  "))
            assert family.example in line
            assert family.licence in line
    assert {name for name in OF_FOLDERS if not ENCODERS.resolve(name).families} == set()


def test_no_adapter_knows_a_family_that_is_not_listed() -> None:
    held = 0
    for module in pkgutil.iter_modules(mmvideo.encoders.__path__, "mmvideo.encoders."):
        for value in vars(importlib.import_module(module.name)).values():
            found = value.values() if isinstance(value, Mapping) else [value]
            for family in (one for one in found if isinstance(one, Family)):
                held += 1
                assert id(family) in LISTED, f"{module.name}: {family.title}"
    assert held >= len(OF_TRANSFORMERS) > 15


def test_one_kind_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "features").splitlines()[0] == "features"
    assert "VideoMAE" not in shown(capsys, "audio")
    with pytest.raises(SystemExit) as ended:
        main(["encoders", "vissual"])
    assert ended.value.code == 2
    assert "Did you mean 'visual'?" in capsys.readouterr().err


@pytest.mark.parametrize("family", OF_TRANSFORMERS, ids=lambda family: family.title)
def test_width_and_size_are_those_of_the_usual_configuration(family: Family) -> None:
    cls = getattr(transformers, family.network)
    with torch.device("meta"):
        network: Any = cls(cls.config_class())
    network = getattr(network, "audio_model", network)
    network = network.get_encoder() if hasattr(network, "decoder") else network
    unused = ("predictor.", "pooler.") if family.title in ("V-JEPA 2", "ViViT") else ()
    count = sum(p.numel() for name, p in network.named_parameters() if not name.startswith(unused))
    assert family.parameters == pytest.approx(count / 1e6, abs=0.06)
    assert family.width == network.config.hidden_size
