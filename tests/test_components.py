"""Names to classes: the registered ones, one's own, and mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from mmvideo.components import ENCODERS, FUSIONS, OBJECTIVES, build, check_names, resolve
from mmvideo.config import AudioConfig, NamedConfig, RunConfig
from mmvideo.encoders.base import Encoder
from mmvideo.errors import InputError
from mmvideo.fusion import Fusion
from mmvideo.vocabulary import MODALITIES


@pytest.mark.parametrize(("table", "base"), [
    (FUSIONS, Fusion), (OBJECTIVES, nn.Module), *((ENCODERS[modality], Encoder) for modality in MODALITIES),
])  # fmt: skip
def test_every_name_leads_to_a_class_of_its_kind(table: Mapping[str, str], base: type) -> None:
    assert table
    for name, target in table.items():
        cls = resolve(table, "part", name)
        assert issubclass(cls, base)
        assert target == f"{cls.__module__}:{cls.__name__}"


def test_what_a_fusion_says_its_step_is_spent_on_fits_a_sentence() -> None:
    """One's own may say nothing; then reports give no reason."""
    stated = [cls.cost for cls in (resolve(FUSIONS, "fusion", name) for name in FUSIONS) if cls.cost]
    assert stated
    assert all(20 < len(cost) < 110 and not cost.endswith(".") for cost in stated)


GATE = """
from mmvideo.schema import Part

class Gate:
    class Config(Part):
        slope: float = 1.0

    def __init__(self, config, width):
        self.got = (width, config.slope)

class Bare:
    pass
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of one's own on the path: one that works, and one that needs what is not installed."""
    (tmp_path / "my_parts.py").write_text(GATE)
    (tmp_path / "my_broken.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("own")
class TestOnesOwn:
    def test_a_class_is_named_by_module_and_name(self) -> None:
        assert resolve(FUSIONS, "fusion", "my_parts:Gate").__name__ == "Gate"

    def test_it_is_built_from_what_is_given_and_its_options(self) -> None:
        made = build(FUSIONS, "fusion", "my_parts:Gate", {"slope": 2.0}, width=8)
        assert made.got == (8, 2.0)
        assert build(FUSIONS, "fusion", "my_parts:Gate", {}, width=8).got == (8, 1.0)

    def test_a_module_or_class_that_is_not_there(self) -> None:
        with pytest.raises(InputError, match="there is no module 'my_part' on the Python path"):
            resolve(FUSIONS, "fusion", "my_part:Gate")
        with pytest.raises(InputError, match=r"there is no module 'my_parts.deeper'"):
            resolve(FUSIONS, "fusion", "my_parts.deeper:Gate")
        with pytest.raises(InputError, match="module 'my_parts' has no 'Gat'"):
            resolve(FUSIONS, "fusion", "my_parts:Gat")

    def test_what_a_module_needs_and_lacks_is_not_blamed_on_its_name(self) -> None:
        with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
            resolve(FUSIONS, "fusion", "my_broken:Gate")

    def test_options_it_does_not_take(self) -> None:
        with pytest.raises(
            InputError,
            match=r"Unknown option of fusion 'my_parts:Gate' 'slop'. Did you mean 'slope'\? Known: slope\.",
        ):
            build(FUSIONS, "fusion", "my_parts:Gate", {"slop": 2.0}, width=8)
        with pytest.raises(InputError, match="'width'"):  # that one comes from the configuration
            build(FUSIONS, "fusion", "my_parts:Gate", {"width": 2}, width=8)
        with pytest.raises(InputError, match=r"'my_parts:Gate': slope: Input should be.*got 'steep'"):
            build(FUSIONS, "fusion", "my_parts:Gate", {"slope": "steep"}, width=8)
        with pytest.raises(InputError, match="Bare needs a `Config`"):
            build(FUSIONS, "fusion", "my_parts:Bare", {})


def test_an_unknown_name_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(
        InputError, match=r"Unknown fusion 'erly'. Did you mean 'early'\? Known: .*hierarchical.*single"
    ):
        resolve(FUSIONS, "fusion", "erly")
    with pytest.raises(InputError, match=r"Unknown fusion 'xyz'\. Known:"):
        resolve(FUSIONS, "fusion", "xyz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fusion": NamedConfig(name="hierarchicl")}, "Did you mean 'hierarchical'"),
        ({"fusion": NamedConfig(name="late", options={"dropuot": 0.1})}, "Did you mean 'dropout'"),
        ({"objective": NamedConfig(name="focl")}, "Did you mean 'focal'"),
        ({"objective": NamedConfig(name="focal", options={"gama": 2.0})}, "Did you mean 'gamma'"),
        ({"audio": AudioConfig(name="spectrogram")}, "Did you mean 'spectrogram_cnn'"),
    ],
)
def test_names_are_checked_without_building(change: dict[str, Any], message: str) -> None:
    check_names(RunConfig())
    with pytest.raises(InputError, match=message):
        check_names(RunConfig(**change))
