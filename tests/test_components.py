"""Names to classes: the registered ones, one's own, their options, and mistakes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from mmvideo.components import (
    ENCODERS,
    FUSIONS,
    MODALITY_KINDS,
    OBJECTIVES,
    Choice,
    EncoderChoice,
    FusionChoice,
    ObjectiveChoice,
    Table,
)
from mmvideo.config import Input, RunConfig, load_config
from mmvideo.errors import InputError
from mmvideo.fusion.base import Fusion
from mmvideo.fusion.late import LateFusion
from mmvideo.importing import load
from mmvideo.schema import Part

TABLES = (FUSIONS, OBJECTIVES, MODALITY_KINDS, ENCODERS)
REGISTERED = [(table, name) for table in TABLES for name in table]
EACH = pytest.mark.parametrize(("table", "name"), REGISTERED, ids=[f"{t.kind} {n}" for t, n in REGISTERED])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_every_name_leads_to_a_class_of_its_kind(table: Table) -> None:
    assert table
    base = load(table.base, table.kind)
    for name, target in table.items():
        cls = table.resolve(name)
        assert issubclass(cls, base)
        assert target == f"{cls.__module__}:{cls.__name__}"


def test_what_a_fusion_says_its_step_is_spent_on_fits_a_sentence() -> None:
    """One's own may say nothing; then reports give no reason."""
    stated = [cls.cost for cls in map(FUSIONS.resolve, FUSIONS) if cls.cost]
    assert stated
    assert all(20 < len(cost) < 110 and not cost.endswith(".") for cost in stated)


def test_every_kind_of_modality_has_an_encoder_that_reads_it() -> None:
    for name in MODALITY_KINDS:
        kind = MODALITY_KINDS.resolve(name)
        assert ENCODERS.resolve(kind.default_encoder).takes == kind.kind
    takes = {ENCODERS.resolve(name).takes for name in ENCODERS}
    assert takes <= {MODALITY_KINDS.resolve(name).kind for name in MODALITY_KINDS}


def run_with(table: Table, name: str, options: dict[str, Any]) -> RunConfig:
    """A run with the component somewhere in it."""
    choice = {"name": name, "options": options}
    if table is FUSIONS:
        return RunConfig(inputs={"visual": Input.of("visual")}, fusion=FusionChoice(**choice))
    if table is OBJECTIVES:
        return RunConfig(objective=ObjectiveChoice(**choice))
    if table is MODALITY_KINDS:
        return RunConfig(inputs={"mine": Input.model_validate({"kind": name, "options": options})})
    kind = ENCODERS.resolve(name).takes
    return RunConfig(inputs={"mine": Input.of(kind, EncoderChoice(**choice))})


def others(config: type[Part], field: str) -> Iterator[Any]:
    """Values that the option may have beside its default."""
    value, hint = getattr(config(), field), config.model_fields[field].annotation
    candidates: list[Any] = list(get_args(hint)) if get_origin(hint) is Literal else []
    if isinstance(value, bool):
        candidates.append(not value)
    elif isinstance(value, (int, float)):
        candidates += [value + 1, value / 2, value + 0.25]
    elif isinstance(value, tuple):
        candidates += [(*value, 7), value[::-1], ("some", "words"), value[:-1]]
    elif value is None:
        candidates += [3, 2.5, "text", True]
    for candidate in candidates:
        try:
            changed = config.model_validate({field: candidate})
        except ValidationError:
            continue
        if getattr(changed, field) != value:
            yield candidate


@EACH
def test_a_run_with_it_survives_the_file(table: Table, name: str) -> None:
    config = run_with(table, name, {})
    assert load_config(config.model_dump_json(), "config.json") == config


@EACH
def test_every_option_survives_the_file_and_is_deciding(table: Table, name: str) -> None:
    config = table.resolve(name).Config
    plain = run_with(table, name, {})
    for field in config.model_fields:
        for value in others(config, field):
            try:
                changed = run_with(table, name, {field: value})
            except (ValidationError, InputError):
                continue  # it needs another option to go with it
            again = load_config(changed.model_dump_json(), "config.json")
            assert again == changed != plain
            assert again.deciding() == changed.deciding() != plain.deciding()


def test_options_that_survive_are_found() -> None:
    """The search above finds values for most kinds of options."""
    assert list(others(LateFusion.Config, "dropout"))
    config = ENCODERS.resolve("cnn_lstm").Config
    found = {field for field in config.model_fields if list(others(config, field))}
    assert {"channels", "pool", "weights", "frozen", "picture_size", "dropout"} <= found


class TestMistakes:
    def test_an_unknown_name_gets_the_nearest_and_the_list(self) -> None:
        with pytest.raises(
            InputError, match=r"Unknown fusion 'erly'. Did you mean 'early'\? Known: .*hierarchical.*single"
        ):
            FUSIONS.resolve("erly")
        with pytest.raises(InputError, match=r"Unknown fusion 'xyz'\. Known:"):
            FUSIONS.resolve("xyz")

    @pytest.mark.parametrize(("make", "message"), [
        (lambda: FusionChoice.of("hierarchicl"), r"fusion .*mean 'hierarchical'\? Known: attention, "),
        (lambda: FusionChoice.of("late", dropuot=0.1), r"'late' 'dropuot'. Did you mean 'dropout'\? Known: "),
        (lambda: ObjectiveChoice.of("focl"), r"Unknown objective .* 'focal'\? Known: agm, .*unimodal"),
        (lambda: ObjectiveChoice.of("focal", gama=2.0), r"'gamma'\? Known: .*gamma"),
        (lambda: EncoderChoice.of("spectrogram"), r"mean 'spectrogram_cnn'\? Known: cnn_lstm, "),
        (lambda: EncoderChoice.of("cnn_lstm", chanels=(3,)), r"'channels'\? Known: .*picture_size"),
        (lambda: Input.of("visul"), r"Unknown kind of modality .*'visual'\? Known: audio, features, text"),
        (lambda: Input.of("visual", frame_sise=3), r"'frame_size'\? Known: brightness, "),
        (lambda: Input.of("visual", "cnn_lstn"), r"Unknown encoder .*'cnn_lstm'\? Known: "),
        (lambda: FusionChoice.of("late", dropout="much"), r"'late': dropout: .*number \(got 'much'\)"),
        (lambda: FusionChoice.of("late", dropout=1.0), r"'late': dropout: .*less than 1 \(got 1.0\)"),
        (lambda: EncoderChoice.of("cnn_lstm", picture_size=0), "picture_size: .*greater than 0"),
        (lambda: EncoderChoice.of("cnn_lstm", weights=1j), "cannot be an option: it is no number"),
        (lambda: Input.of("audio", gain_db=float("nan")), "gain_db: Input should be .*finite"),
    ])  # fmt: skip
    def test_in_python(self, make: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            make()

    @pytest.mark.parametrize("name", [":Class", "module:", "a..b:Class", ".a:Class", "a b:Class", "a:b.c"])
    def test_what_can_name_no_class(self, name: str) -> None:
        with pytest.raises(InputError, match=r"neither a registered name nor of the form package\.module"):
            FUSIONS.resolve(name)

    def test_options_of_another_component(self) -> None:
        """Where a name is changed and the options are left."""
        early, late = FusionChoice.of("early", dropout=0.3), FusionChoice.of("late", dropout=0.3)
        with pytest.raises(ValidationError, match="Unknown option of fusion 'late' '"):
            FusionChoice(name="late", options=early.options)
        taken = FusionChoice(name="early", options=late.options)
        assert taken == early
        assert type(taken.options) is type(early.options)

    def test_options_of_a_class_that_is_derived_from_ones_own(self) -> None:
        """They are more than the class takes, though they are of its `Config`'s type."""
        further = type("Further", (LateFusion.Config,), {"__annotations__": {"depth": int}, "depth": 2})
        with pytest.raises(ValidationError, match="Unknown option of fusion 'late' 'depth'"):
            FusionChoice(name="late", options=further())


PARTS = """
from mmvideo.components import OBJECTIVES
from mmvideo.encoders.base import Encoder
from mmvideo.fusion.late import LateFusion
from mmvideo.modalities.base import Modality
from mmvideo.modalities.features import PrecomputedFeatures
from mmvideo.schema import Part, Positive

class Gate(LateFusion):
    class Config(LateFusion.Config):
        slope: float = 1.0
        widths: tuple[Positive, ...] = (8, 4)

class Loss(OBJECTIVES.resolve("focal")):
    pass

class Poses(PrecomputedFeatures):
    kind = "poses"
    default_encoder = "my_parts:PoseEncoder"

    class Config(PrecomputedFeatures.Config):
        joints: Positive = 17

class PoseEncoder(Encoder):
    takes = "poses"

class Foreign(LateFusion):
    class Config(Part):
        slope: float = 1.0

class Unsaid(Modality):
    kind = "unsaid"

class Blind(Encoder):
    pass

class Bare:
    pass

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Modules of one's own beside the working directory: one that works, one that needs what is absent."""
    (tmp_path / "my_parts.py").write_text(PARTS)
    (tmp_path / "my_broken.py").write_text("import not_installed_anywhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield tmp_path
    for name in ("my_parts", "my_broken"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("own")
class TestOnesOwn:
    def test_it_is_found_beside_the_working_directory(self) -> None:
        before = list(sys.path)
        assert FUSIONS.resolve("my_parts:Gate").__name__ == "Gate"
        assert sys.path == before

    def test_the_path_keeps_its_order_where_the_directory_is_on_it(
        self, own: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(str(own))
        before = list(sys.path)
        FUSIONS.resolve("my_parts:Gate")
        assert sys.path == before

    def test_what_is_installed_goes_before_what_lies_there(self, own: Path) -> None:
        (own / "colorsys.py").write_text("Gate = None\n")
        with pytest.raises(InputError, match="module 'colorsys' has no 'Gate'"):
            FUSIONS.resolve("colorsys:Gate")

    def test_it_is_built_from_its_options_and_what_is_given(self) -> None:
        made = FusionChoice.of("my_parts:Gate", slope=2.0).build(("visual", "flow"), 8)
        assert isinstance(made, Fusion)
        assert (made.config.model_dump(), made.modalities, made.width) == (
            {"absent_std": 1.0, "dropout": 0.1, "slope": 2.0, "widths": (8, 4)}, ("visual", "flow"), 8,
        )  # fmt: skip

    @pytest.mark.parametrize(("options", "message"), [
        ({"slop": 2.0}, r"of fusion 'my_parts:Gate' 'slop'. Did you mean 'slope'\? Known: .*, dropout, slo"),
        ({"width": 2}, "Unknown option of fusion 'my_parts:Gate' 'width'"),  # that is the configuration's
        ({"slope": "steep"}, r"options of fusion 'my_parts:Gate': slope: Input should be.*got 'steep'"),
        ({"widths": [8, 0]}, r"'my_parts:Gate': widths.1: .*greater than 0"),
        ({"widths": [8, 2.5]}, r"'my_parts:Gate': widths.1: .*integer"),
    ])  # fmt: skip
    def test_options_are_checked_before_anything_is_built(self, options: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            FusionChoice.of("my_parts:Gate", **options)
        with pytest.raises(ValidationError, match=message):
            RunConfig(fusion={"name": "my_parts:Gate", "options": options})  # type: ignore[arg-type]

    @pytest.mark.parametrize(("table", "choice", "options"), [
        (FUSIONS, "my_parts:Gate", {"slope": 3.0, "widths": [1, 2, 3]}),
        (OBJECTIVES, "my_parts:Loss", {}),
        (MODALITY_KINDS, "my_parts:Poses", {"joints": 5}),
    ])  # fmt: skip
    def test_a_run_with_it_survives_the_file(self, table: Table, choice: str, options: Any) -> None:
        config = run_with(table, choice, options)
        again = load_config(config.model_dump_json(), "config.json")
        assert again == config
        assert again.deciding() == config.deciding() != run_with(FUSIONS, "late", {}).deciding()

    def test_ones_own_kind_brings_its_encoder_and_takes_no_other(self) -> None:
        given = Input.of("my_parts:Poses", joints=3)
        assert given.encoder == EncoderChoice.of("my_parts:PoseEncoder")
        with pytest.raises(InputError, match="reads what is features, not poses; for that there is none reg"):
            Input.of("my_parts:Poses", "feature_lstm")

    @pytest.mark.parametrize(("table", "name", "message"), [
        (FUSIONS, "my_part:Gate", "there is no module 'my_part', neither on the Python path nor beside"),
        (FUSIONS, "my_parts.deeper:Gate", r"there is no module 'my_parts\.deeper'"),
        (FUSIONS, "my_parts:Gat", "module 'my_parts' has no 'Gat'"),
        (FUSIONS, "my_parts:Bare", r"'my_parts:Bare' is not a subclass of mmvideo\.fusion\.base\.Fusion"),
        (FUSIONS, "my_parts:number", r"is not a subclass of mmvideo\.fusion\.base\.Fusion"),
        (OBJECTIVES, "my_parts:Gate", r"is not a subclass of mmvideo\..*\.Objective"),
        (ENCODERS, "my_parts:Loss", r"is not a subclass of mmvideo\.encoders\.base\.Encoder"),
        (MODALITY_KINDS, "my_parts:Gate", r"is not a subclass of mmvideo\.modalities\.base\.Modality"),
        (FUSIONS, "my_parts:Foreign", r"'my_parts:Foreign': its Config is to be a subclass of Fusion"),
        (MODALITY_KINDS, "my_parts:Unsaid", "'my_parts:Unsaid' has no class attribute default_encoder"),
        (ENCODERS, "my_parts:Blind", "encoder 'my_parts:Blind' has no class attribute takes"),
    ])  # fmt: skip
    def test_what_is_refused(self, table: Table, name: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            table.resolve(name)

    def test_what_a_module_needs_and_lacks_is_not_blamed_on_its_name(self) -> None:
        told = r"cannot be imported: ModuleNotFoundError: No module named .not_installed_anywhere"
        with pytest.raises(InputError, match=told):
            FUSIONS.resolve("my_broken:Gate")


def test_a_name_alone_is_a_choice() -> None:
    choice: Choice = RunConfig(fusion="late").fusion  # type: ignore[arg-type]
    assert choice == FusionChoice.of("late")
    assert isinstance(choice.options, LateFusion.Config)
