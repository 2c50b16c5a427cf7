"""Which interactions can each fusion strategy represent, and how fast does it learn them?

Every strategy on every planted task, where the best possible accuracy is known. One study a task; then one
table over all of them: whether a strategy reaches the limit (equivalence within 3 points), whether it goes
beyond what adding up the modalities' votes can do, and after how many steps and seconds. Strategies that fall
short are trained again with five times the steps, which finds those that are only slow; it does not prove of
the others that they cannot.

Encoders are `frozen` by default: for each renderer of planted data (motion, flashes, chirp, beep, word order,
question) one run with a single modality has learnt the symbol that it shows, whatever the task's own label
is. So the table tells of the fusion alone. With `--encoders trained` all is learnt together from scratch.

Command: make interactions, which makes the data and teaches the encoders; then, for one task again:
mmvideo ablate experiments/interactions.py -- --task routed
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from mmvideo.components import FusionChoice
from mmvideo.config import RunConfig, TrainConfig
from mmvideo.errors import unknown
from mmvideo.planted import PlantedSpec, generate, get_task, known_limits, perception_manifest
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.base import study_base
from mmvideo.studies.language import Axis, strategies, study_of
from mmvideo.studies.study import Study
from mmvideo.vocabulary import MODALITIES

Encoders = Literal["frozen", "trained"]

EPOCHS = {
    "unique_text": 2,
    "unique_audio": 3,
    "unique_visual": 4,
    "redundant": 4,
    "routed": 4,
    "mixed": 4,
    "sync": 6,
    "synergy": 8,
}
"""With trained encoders: the budget by task, in epochs of 2,400 clips, the same for every strategy."""

PERCEPTION_EPOCHS = {"motion": 4, "flashes": 10, "chirp": 3, "beep": 3, "order": 3, "query": 2}
"""With frozen encoders: the epochs in which each renderer's encoder learns."""

DATA = Path("data/planted")

ON_FROZEN = TrainConfig(epochs=8, batch_size=32, learning_rate=1e-3)
"""With frozen encoders: 600 steps, for every task and strategy."""

VARIANTS: dict[str, dict[str, str | bool]] = {
    "hierarchical_unaligned": {"aligned": False},
    "stems": {"levels": "stem"},
    "stems_unaligned": {"levels": "stem", "aligned": False},
}
"""Arms that are `hierarchical` with other options. Stems carry no time of their own: a frame's CNN and a
patch of sound do not know when they are, while recurrent trunks do. So `stems` tells what alignment is
worth."""

DEFAULT = ("early", "late", "late_sum", "hierarchical")


def study(
    task: str = "routed",
    fusions: tuple[str, ...] = DEFAULT,
    encoders: Encoders = "frozen",
    budget: int = 1,
    data: Path = DATA,
    root: Path = Path("runs"),
) -> Study:
    """All strategies on one planted task.

    Args:
        task: A planted task, such as routed, redundant, sync or unique_audio.
        fusions: Names of mmvideo.components.FUSIONS, or one of VARIANTS; `all` stands for all of them.
        encoders: `frozen`: taught before what their modality shows. `trained`: from scratch, with the fusion.
        budget: How many times the usual number of training steps.
        data: Folder of planted data sets.
        root: Folder of run directories, where the runs are that taught the frozen encoders.
    """
    if task not in EPOCHS:
        raise unknown("planted task", task, EPOCHS)
    known: dict[str, Any] = {name: name for name in strategies(("all",))}
    known |= {name: {"name": "hierarchical", "options": options} for name, options in VARIANTS.items()}
    for name in fusions:
        if name != "all" and name not in known:
            raise unknown("fusion", name, known)
    base = study_base("planted", str(data / task / "manifest.jsonl"), beside=__file__).config
    if encoders == "frozen":
        taught = tuple(str(root / "perception" / f"{renderer}-s0") for renderer in renderers(task).values())
        base = base.model_copy(update={"encoders_from": taught, "encoders_frozen": True, "train": ON_FROZEN})
    epochs = budget * (EPOCHS[task] if encoders == "trained" else ON_FROZEN.epochs)
    train = base.train.model_copy(update={"epochs": epochs, "patience": epochs})
    base = base.model_copy(update={"train": train})
    chosen = known if "all" in fusions else {name: known[name] for name in fusions}
    return study_of(
        base,
        Axis("fusion", chosen),
        name=name_of(task, encoders, budget),
        title=f"Interactions: planted '{task}', encoders {encoders}"
        + (f", {budget} times the steps" if budget > 1 else ""),
        controls=False,
        limits=known_limits(task),
    )


def name_of(task: str, encoders: Encoders, budget: int = 1) -> str:
    name = f"interactions-{task}" if encoders == "frozen" else f"interactions_trained-{task}"
    return name if budget == 1 else f"{name}-x{budget}"


def renderers(task: str) -> dict[str, str]:
    """What draws each modality of a planted task."""
    return {modality: getattr(get_task(task), modality) for modality in MODALITIES}


def perceiver(modality: str, renderer: str, data: Path) -> RunConfig:
    """The run that teaches the encoder of what a renderer draws. Planted clips are made if need be."""
    manifest = perception_manifest(renderer, modality, data)
    base = study_base("planted", str(manifest), beside=__file__).config
    epochs = PERCEPTION_EPOCHS[renderer]
    train = base.train.model_copy(update={"epochs": epochs, "patience": epochs})
    alone = {"study": "perception", "arm": renderer, "modalities": (modality,), "train": train}
    hierarchical = FusionChoice.of("hierarchical")  # reads, and so trains, every level
    return base.model_copy(update={**alone, "fusion": hierarchical})


@dataclass
class Suite:
    """Run the suite and write one table over all its tasks."""

    tasks: tuple[str, ...] = tuple(EPOCHS)
    """Planted tasks."""
    fusions: tuple[str, ...] = ("all",)
    """Strategies."""
    encoders: Encoders = "frozen"
    """Whether encoders have learnt before what their modality shows, or learn together with the fusion."""
    longer: int = 5
    """How many times the steps strategies get that fall short of the limit; 1: they are not trained again."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of every strategy on every task."""
    root: Path = Path("runs")
    """Folder of run directories."""
    out: Path = Path("reports")
    """Folder of reports; `interactions/` in it holds the suite's table and figures."""


def main(options: Suite) -> int:
    from rich.console import Console
    from rich.table import Table

    from mmvideo.report.suite import REACHES, suite_table, write_suite

    failed = 0
    folders: list[Path] = []
    for task in options.tasks:
        generate(PlantedSpec(task=task), DATA / task)
        taught = _teach(task, options.root) if options.encoders == "frozen" else []
        failed |= _carry_out(options, task, options.fusions, 1, taught)
        folders.append(options.root / name_of(task, options.encoders))
        table = suite_table(folders[-1:])
        short = tuple(table["arm"][table["verdict"] != REACHES])
        if short and options.longer > 1:
            failed |= _carry_out(options, task, short, options.longer, taught)
            folders.append(options.root / name_of(task, options.encoders, options.longer))
    out = options.out / ("interactions" if options.encoders == "frozen" else "interactions_trained")
    table = write_suite(folders, out)
    shown = Table(*table.columns, title="Interactions")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(width=200).print(shown)
    print(f"table and figures: {out}")
    return failed


def _teach(task: str, root: Path) -> list[str]:
    """Train the encoders of a task's modalities, those that are not there yet; the folders of their runs."""
    from mmvideo.runs.execute import execute

    taught = []
    for modality, renderer in renderers(task).items():
        run = RunDirectory(execute(perceiver(modality, renderer, DATA), root=root))
        accuracy = run.result().test["accuracy"]
        print(f"encoder of {renderer}: {100 * accuracy:.1f} % on test, {run.path}")
        taught.append(str(run.path))
    return taught


def _carry_out(
    options: Suite, task: str, fusions: tuple[str, ...], budget: int, taught: Sequence[str]
) -> int:
    from mmvideo.cli.ablate import ablate

    seeds = [str(seed) for seed in options.seeds]
    command = [__file__, "--root", str(options.root), "--out", str(options.out), "--seeds", *seeds]
    if taught:  # by their whole names: earlier runs may stand beside them
        command += ["--set", f"encoders_from={json.dumps(taught)}"]
    own = {"task": task, "encoders": options.encoders, "budget": budget, "root": options.root}
    given = [word for name, value in own.items() for word in (f"--{name}", str(value))]
    return ablate([*command, "--", *given, "--fusions", *fusions])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Suite, description=__doc__)))
