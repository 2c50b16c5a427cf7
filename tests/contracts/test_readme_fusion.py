"""The README's "Add a fusion", done as written: one file, one line."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from mmvideo.components import FUSIONS, FusionChoice
from mmvideo.config import RunConfig
from mmvideo.contract.fusions import CONTRACT, WIDTH
from mmvideo.model import build_model
from mmvideo.vocabulary import MODALITIES

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readme_example_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    section = README.read_text(encoding="utf-8").split("## Add a fusion")[1].split("\n## ")[0]
    code, line = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    name, target = re.fullmatch(r'\s*"(\w+)": "([\w.]+:\w+)",\s*', line).groups()
    file = re.search(r"one file, `([\w/.]+)`", section).group(1)
    module_name = target.split(":")[0]
    assert file == module_name.replace(".", "/") + ".py"

    path = tmp_path / "product.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, module_name, module)
    monkeypatch.setitem(FUSIONS, name, target)

    for check in CONTRACT:
        for training in (True, False):
            torch.manual_seed(0)
            check(lambda: FusionChoice.of(name).build(MODALITIES, WIDTH), training)
    model = build_model(RunConfig(fusion=FusionChoice.of(name)), outputs=4, told={"text": 10})
    assert type(model.fusion).__name__ == target.split(":")[1]
