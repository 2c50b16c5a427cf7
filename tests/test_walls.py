"""How many files a new thing touches, counted in the source: a component stands in its own file and in the
table of names, a metric in its task's file, a section of the report in one module and one template.

Who else knows one is listed here with the reason. An entry that no longer holds fails as well.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mmvideo.components import ENCODERS, ENGINES, FUSIONS, MODALITY_KINDS, OBJECTIVES, Table
from mmvideo.evaluation import metrics, multi_label, regression
from mmvideo.report.sections import sections

LIBRARY = Path(__file__).resolve().parents[1] / "mmvideo"
TABLES = ((FUSIONS, 19), (OBJECTIVES, 8), (ENCODERS, 8), (MODALITY_KINDS, 4), (ENGINES, 3))
"""With the least number of names, so that an emptied table is seen."""

PLAIN = "plain features, for the floor"
# component → the files that know its class beside its own and the table → why
CLASS_KNOWN = {
    "spectrogram_cnn": {"inspection/heard.py inspection/panels.py": "shows what that encoder hears"},
    "mfcc": {"inspection/heard.py": "shows what that encoder hears"},
    "sound_model": {"inspection/heard.py": "tells what its model makes of the sound"},
    "feature_lstm": {"encoders/plain.py": "encoders of vectors made on the spot"},
    "visual": {
        "encoders/visual.py encoders/ahead.py": "the frames that encoders take and compute ahead",
        "encoders/pixels.py encoders/frame_model.py encoders/video_model.py": "the frames that encoders take",
        "data/plain_features.py": PLAIN,
    },
    "audio": {
        "encoders/audio.py encoders/mfcc.py encoders/sound_model.py": "the sound that encoders take",
        "data/plain_features.py": PLAIN,
    },
    "text": {
        "encoders/text.py encoders/text_model.py": "the words that encoders take",
        "inspection/opened.py inspection/views.py": "shows text as text",
        "data/plain_features.py": PLAIN,
    },
    "local": {
        "studies/grid.py": "the default",
        "cli/encode.py": "how many processes this machine has room for",
    },
    "features": {"inspection/opened.py inspection/overview.py": "tells features although some are at fault"},
}
# name → the files that say it beside its own and the table → why
NAME_KNOWN = {
    "local": {"cli/study_options.py": "the default", "studies/engines/slurm.py": "submitit's word"},
    "hierarchical": {"config.py": "the default"},
    "cross_entropy": {
        "config.py": "the default",
        "planted/limits.py report/compare.py report/suite.py": "a bound: what trains by cross-entropy",
    },
    "single": {"config.py studies/language.py": "the fusion of single-modality arms"},
    "bilinear": dict.fromkeys(
        [f"modalities/{name}.py" for name in ("picture_batches", "picture_changes", "pictures")],
        "a way to resize pictures",
    ),
    "attention": {"encoders/base.py encoders/mfcc.py layers/pooling.py": "a way to pool tokens"},
    "cnn_lstm": {"modalities/visual.py": "the kind's default encoder"},
    "spectrogram_cnn": {"modalities/audio.py": "the kind's default encoder"},
    "transformer": {"modalities/text.py": "the kind's default encoder", "layers/trunk.py": "a kind of trunk"},
    "feature_lstm": {"modalities/features.py": "the kind's default encoder"},
    "visual": {
        "vocabulary.py": "the three default modalities",
        "encoders/visual.py encoders/pixels.py encoders/frame_model.py encoders/video_model.py": (
            "the kind its encoders take"
        ),
        "contract/check.py contract/inputs.py contract/fusions.py contract/objectives.py": "made-up batches",
        "inspection/opened.py inspection/picture.py": "drawn in a way of its own",
        "recipes/mmsa.py planted/tasks.py": "of its data",
        "store/clip_format.py": "the format's arrays",
    },
    "audio": {
        "vocabulary.py": "the three default modalities",
        "encoders/audio.py encoders/mfcc.py encoders/sound_model.py": "the kind its encoders take",
        "contract/check.py contract/inputs.py contract/fusions.py contract/objectives.py": "made-up batches",
        "inspection/opened.py inspection/panels.py inspection/views.py": "drawn in a way of its own",
        "recipes/mmsa.py planted/tasks.py": "of its data",
        "store/clip_format.py": "the format's arrays",
        "clips/contents.py clips/manifest.py transcribe/transcribe.py": "manifest field",
        "recipes/check.py recipes/prepare.py": "manifest field",
        "store/decode/container.py store/decode/audio.py store/decode/frames.py store/decode/clock.py": (
            "a container's stream"
        ),
    },
    "text": {
        "vocabulary.py": "the three default modalities",
        "encoders/text_files.py encoders/text_model.py encoders/text.py": "the kind its encoders take",
        "contract/check.py contract/inputs.py contract/fusions.py contract/objectives.py": "made-up batches",
        "inspection/opened.py inspection/panels.py inspection/picture.py": "drawn in a way of its own",
        "recipes/mmsa.py planted/tasks.py": "of its data",
        "store/clip_format.py": "the format's arrays",
        "report/charts/theme.py transcribe/whisper.py": "another library's word",
        "clips/notices.py": "what metadata would be read as",
    },
    "features": {
        "studies/base.py": "`+flow` behind a base's name",
        "encoders/features.py": "the kind its encoders take",
        "contract/check.py contract/inputs.py": "made-up batches",
        "inspection/opened.py inspection/panels.py": "drawn in a way of its own",
        "recipes/mmsa.py recipes/prepare.py clips/audit.py": "a manifest's field",
        "runs/execute.py": "values set to zero are counted, of features alone",
    },
}
TASKS_FILE = {"evaluation/tasks.py": "which metric is the task's score or chooses the epoch"}
METRIC_KNOWN = {
    **dict.fromkeys(("nll", "label_ranking_ap", "bce", "mae"), TASKS_FILE),
    "accuracy": TASKS_FILE
    | {
        "report/compare.py report/suite.py report/charts/suite.py": "the planted tasks' bounds",
        "cli/train.py studies/progress.py": "the score that lines of progress need not name",
    },
}


@cache
def words() -> dict[str, frozenset[str]]:
    """For each file of the library: its identifiers, the modules it imports from, its strings in quotes."""
    return {
        path.relative_to(LIBRARY).as_posix(): frozenset(_words(ast.parse(path.read_text(encoding="utf-8"))))
        for path in LIBRARY.rglob("*.py")
    }


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name for alias in node.names)
            yield f"from {node.module}" if isinstance(node, ast.ImportFrom) else ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"'{node.value}'"


def knowing(*given: str) -> set[str]:
    """The files in which any of the words stands."""
    return {file for file, said in words().items() if said & set(given)}


def listed(exceptions: dict[str, dict[str, str]], name: str) -> set[str]:
    return {file for files in exceptions.get(name, {}) for file in files.split()}


def entries() -> list[tuple[str, str]]:
    return [(name, target) for table, _ in TABLES for name, target in table.items()]


def own_file(module: str) -> str:
    return module.removeprefix("mmvideo.").replace(".", "/") + ".py"


@pytest.mark.parametrize(("table", "least"), TABLES, ids=lambda value: getattr(value, "kind", ""))
def test_all_registered_names_are_seen(table: Table, least: int) -> None:
    assert len(table) >= least
    assert {own_file(target.split(":")[0]) for target in table.values()} <= words().keys()


@pytest.mark.parametrize(("name", "target"), entries(), ids=lambda value: value)
def test_a_component_is_one_file_and_a_line(name: str, target: str) -> None:
    module, cls = target.split(":")
    home = {own_file(module), "components.py"}
    shared = sum(other.startswith(f"{module}:") for _, other in entries()) > 1
    by_class = knowing(cls, f"'{target}'", *([] if shared else [f"from {module}"]))
    assert by_class - home == listed(CLASS_KNOWN, name)
    assert knowing(f"'{name}'") - home == listed(NAME_KNOWN, name)


def test_a_metric_is_one_file() -> None:
    """Its formula, its key and how tables show it stand in the file of its task."""
    seen: dict[str, set[str]] = {}
    for module in (metrics, multi_label, regression):
        file = own_file(module.__name__)
        columns = [column.key for column in module.DISPLAY.columns]
        computed = keys_of_returned_tables(module.__file__)
        assert set(columns) <= computed, "a column that nothing computes"
        for key in computed:
            seen.setdefault(key, set()).add(file)
    assert len(seen) >= 18
    for key, files in seen.items():
        assert knowing(f"'{key}'") - files == listed(METRIC_KNOWN, key), key


def keys_of_returned_tables(file: str | None) -> set[str]:
    """The keys of every dictionary that is written out in a file."""
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    keys = (key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys)
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def test_a_section_is_one_module_and_one_template() -> None:
    known = sections()
    assert len(known) >= 11
    assert len({section.POSITION for section in known.values()}) == len(known)
    folder = LIBRARY / "report" / "sections"
    assert {path.name for path in folder.glob("*.j2")} == {f"{name}.html.j2" for name in known}
    for name, section in known.items():
        assert list(inspect.signature(section.content).parameters) == ["comparison"]
        assert knowing(f"from {section.__name__}", f"'{name}.html.j2'") == set()
