"""Who may import whom, read from the source; each rule is also shown a file that breaks it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Part of mmvideo → the parts it may import. The core imports the core.
CORE = {
    "vocabulary",
    "errors",
    "types",
    "config",
    "train_config",
    "importing",
    "config_diff",
    "component_code",
    "components",
    "seeding",
    "files",
    "regular",
    "pretrained",
    "progress",
    "schema",
    "records",
    "study_records",
    "tuning_record",
    "workers",
    "memory",
    "names",
    "terminal",
}
STORED = {"clips", "store"}
INPUTS = STORED | {"modalities", "data"}
LEAVES = {"planted", "transcribe", "inspection"}
MODEL = {"layers", "encoders", "fusion", "objectives", "model"}
ALLOWED = {
    **dict.fromkeys(CORE, CORE),
    "clips": CORE,
    "layers": CORE,
    "evaluation": CORE,
    "store": CORE | {"clips"},
    "modalities": CORE | STORED,
    "data": CORE | STORED | {"modalities", "evaluation"},
    "encoders": CORE | STORED | {"modalities", "layers"},
    "fusion": CORE | {"layers"},
    "objectives": CORE | {"layers"},
    "contract": CORE | {"encoders", "fusion", "objectives"},
    "model": CORE | {"layers", "encoders", "fusion"},
    "training": CORE | INPUTS | MODEL | {"evaluation"},
    "runs": CORE | INPUTS | MODEL | {"evaluation", "training", "contract"},
    "studies": CORE | {"evaluation", "model", "runs"},
    "report": CORE | {"evaluation", "clips"},
    "recipes": CORE | STORED,
    "planted": CORE | STORED,
    "transcribe": CORE | STORED,
    "inspection": CORE | INPUTS | {"encoders", "report"},
    "cli": {
        *CORE,
        *STORED,
        "runs",
        "studies",
        "report",
        "evaluation",
        "data",
        "planted",
        "transcribe",
        "inspection",
        "contract",
    },
    "__main__": {"cli"},
    "experiments": set(),
    "__init__": {"report"},
}
# Third-party package → the only modules that may import it (a name covers what is below it).
RESERVED = {
    "av": ("mmvideo.store.decode", "mmvideo.planted.write"),
    "decord": ("mmvideo.store.decode",),
    "wandb": ("mmvideo.runs.tracking", "mmvideo.runs.tracked"),
    "wandb_workspaces": ("mmvideo.runs.wandb_views",),
    "ray": ("mmvideo.studies.engines.ray",),
    "submitit": ("mmvideo.studies.engines.slurm",),
}
WITHOUT_TORCH = (
    "mmvideo.clips",
    "mmvideo.recipes",
    "mmvideo.report",
    "mmvideo.config_diff",
    "mmvideo.config",
    "mmvideo.records",
    "mmvideo.study_records",
    "mmvideo.component_code",
)


def imports(source: str) -> set[str]:
    """Every module that the source imports: at the top, inside functions, and for type checkers alone.

    `from mmvideo.runs import grid` counts as `mmvideo.studies.grid`: what is imported may be a module.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a module stands"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(module: str, parents: tuple[str, ...]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def layer_violations(module: str, source: str) -> list[str]:
    """Imports of a module of mmvideo that its layer forbids."""
    own = module.split(".")[1] if "." in module else "__init__"
    parts = {name: name.split(".")[1] for name in imports(source) if name.startswith("mmvideo.")}
    return sorted(
        f"{module} imports {name}"
        for name, part in parts.items()
        if part != own and part not in ALLOWED[own] and part != "__version__"
    )


def script_violations(name: str, source: str) -> list[str]:
    """Imports by which the library would depend on experiments, data set recipes or tests."""
    scripts = ("experiments", "datasets", "tests")
    return sorted(f"{name} imports {module}" for module in imports(source) if within(module, scripts))


def reserved_violations(module: str, source: str) -> list[str]:
    """Imports of a package that belongs to other modules."""
    return sorted(
        f"{module} imports {name}"
        for name in imports(source)
        if name.split(".")[0] in RESERVED and not within(module, RESERVED[name.split(".")[0]])
    )


def torch_violations(module: str, source: str) -> list[str]:
    """Imports of torch in a module that does without."""
    return sorted(
        f"{module} imports {name}"
        for name in imports(source)
        if within(module, WITHOUT_TORCH) and name.split(".")[0] in ("torch", "torchvision", "torchaudio")
    )


def library() -> Iterator[tuple[str, str]]:
    """(module, source) of all of mmvideo."""
    for path in sorted((REPOSITORY / "mmvideo").rglob("*.py")):
        module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        yield module, path.read_text(encoding="utf-8")


RULES = (layer_violations, script_violations, reserved_violations, torch_violations)


@pytest.mark.parametrize("check", RULES, ids=lambda check: check.__name__)
def test_library_keeps_the_rule(check) -> None:
    modules = list(library())
    assert len(modules) > 30
    assert [violation for module, source in modules for violation in check(module, source)] == []


def test_every_part_has_a_layer() -> None:
    parts = {module.split(".")[1] for module, _ in library() if "." in module}
    assert parts - set(ALLOWED) == set()


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        (layer_violations, "mmvideo.fusion.late", "from mmvideo.store.store import Store"),
        (layer_violations, "mmvideo.fusion.late", "def f():\n    import mmvideo.encoders.text"),
        (layer_violations, "mmvideo.clips.manifest", "from mmvideo import training"),
        (layer_violations, "mmvideo.objectives.agm", "from mmvideo.model import FusionModel"),
        (layer_violations, "mmvideo.studies.grid", "from mmvideo.report import write_report"),
        (layer_violations, "mmvideo.vocabulary", "from mmvideo.studies.study import Study"),
        (layer_violations, "mmvideo", "from mmvideo.model import build_model"),
        (script_violations, "mmvideo.cli.train", "from experiments.bases import planted"),
        (reserved_violations, "mmvideo.store.store", "import av.video"),
        (reserved_violations, "mmvideo.data.dataset", "from decord import VideoReader"),
        (reserved_violations, "mmvideo.training.loop", "import wandb"),
        (torch_violations, "mmvideo.report.page", "from torch import Tensor"),
    ],
)
def test_rule_sees_a_violation(check, module: str, source: str) -> None:
    assert len(check(module, source)) == 1


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        (layer_violations, "mmvideo.fusion.late", "from mmvideo.fusion.base import Fusion\nimport torch"),
        (layer_violations, "mmvideo.training.loop", "from mmvideo.model import build_model"),
        (reserved_violations, "mmvideo.store.decode.frames", "import av"),
        (reserved_violations, "mmvideo.clips.manifest", "import available"),
        (torch_violations, "mmvideo.data.collate", "import torch"),
    ],
)
def test_rule_lets_the_allowed_pass(check, module: str, source: str) -> None:
    assert check(module, source) == []


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_no_torch_by_way_of_others(module: str) -> None:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("folder", ["datasets", "experiments", "tests"])
def test_scripts_are_no_packages(folder: str) -> None:
    """A package `datasets` at the root would hide Hugging Face's from transformers."""
    assert list((REPOSITORY / folder).rglob("__init__.py")) == []


@pytest.mark.parametrize("folder", ["datasets", "experiments"])
def test_scripts_import_the_library_not_each_other(folder: str) -> None:
    """A script may import its neighbours by plain name (it runs by path), never by its folder's."""
    for path in (REPOSITORY / folder).rglob("*.py"):
        assert script_violations(path.name, path.read_text(encoding="utf-8")) == []
