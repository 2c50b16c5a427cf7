"""Which interactions can each fusion strategy represent, and how fast does it learn them?

Every strategy on every planted task, where the best possible accuracy is known. One study a task; then one
table over all of them: whether a strategy reaches the limit (equivalence within 3 points), whether it goes
beyond what adding up the modalities' votes can do, and after how many steps and seconds.

The budget is set by task and is the same for all strategies (see EPOCHS).
Command: make interactions, or for one task: mmvideo ablate experiments/interactions.py -- --task routed
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bases
import tyro
from fusion_strategies import known_limits

from mmvideo.config import NamedConfig, RunConfig
from mmvideo.data.planted import PlantedSpec, generate
from mmvideo.registry import FUSIONS
from mmvideo.runs.data import open_data
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.study import Arm, Study
from mmvideo.words import MODALITIES, unknown

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
"""Training budget by task, in epochs of 2,400 clips, the same for every strategy."""

VARIANTS = {"hierarchical_unaligned": NamedConfig(name="hierarchical", options={"aligned": False})}
"""Arms that are a strategy with other options."""

DEFAULT = ("early", "late", "late_sum", "hierarchical")


WARM = ("synergy",)
"""Tasks that say nothing about one modality without the others, so that encoders have nothing to start on.
There, every strategy's encoders start from runs on the tasks that one modality decides (`teachers`)."""


def study(
    task: str = "routed",
    fusions: tuple[str, ...] = DEFAULT,
    data: Path = Path("data/planted"),
    root: Path = Path("runs"),
) -> Study:
    """All strategies on one planted task.

    Args:
        task: A planted task, such as routed, redundant, sync or unique_audio.
        fusions: Names of mmvideo.registry.FUSIONS, or hierarchical_unaligned.
        data: Folder of planted data sets; the task's own is made in it if it is not there.
        root: Folder of run directories, where synergy finds the runs its encoders start from.
    """
    if task not in EPOCHS:
        raise unknown("planted task", task, EPOCHS)
    known = {name for name in FUSIONS if name != "single"} | set(VARIANTS)
    for name in fusions:
        if name not in known:
            raise unknown("fusion", name, known)
    manifest = generate(PlantedSpec(task=task), data / task)
    base = bases.planted(str(manifest))
    train = base.train.model_copy(update={"epochs": EPOCHS[task], "patience": EPOCHS[task]})
    base = base.model_copy(update={"train": train})
    if task in WARM:
        places = [
            RunDirectory.locate(
                root, config, open_data(config.data, progress=True).for_run(config).fingerprint
            )
            for config in teachers(data)
        ]
        base = base.model_copy(update={"encoders_from": tuple(str(run.path) for run in places)})
    arms = tuple(
        Arm(name, base.model_copy(update={"fusion": VARIANTS.get(name, NamedConfig(name=name))}))
        for name in fusions
    )
    return Study(
        name=f"interactions-{task}",
        title=f"Interactions: planted '{task}'",
        arms=arms,
        axes=("fusion",),
        seeds=(0, 1, 2, 3, 4),
        limits=known_limits(task),
    )


def teachers(data: Path = Path("data/planted")) -> list[RunConfig]:
    """For each modality, a run on the task that it alone decides: 2 epochs, seed 0."""
    configs = []
    for modality in MODALITIES:
        base = bases.planted(
            str(generate(PlantedSpec(task=f"unique_{modality}"), data / f"unique_{modality}"))
        )
        train = base.train.model_copy(update={"epochs": 2})
        alone = {"modalities": (modality,), "fusion": NamedConfig(name="single"), "train": train}
        configs.append(base.model_copy(update={**alone, "study": "teachers", "arm": modality}))
    return configs


@dataclass
class Suite:
    """Run the suite and write one table over all its tasks."""

    tasks: tuple[str, ...] = tuple(EPOCHS)
    """Planted tasks."""
    fusions: tuple[str, ...] = DEFAULT
    """Strategies."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of every strategy on every task."""
    root: Path = Path("runs")
    """Folder of run directories."""
    out: Path = Path("reports")
    """Folder of reports; `interactions/` in it holds the suite's table and figures."""


def main(options: Suite) -> int:
    from rich.console import Console
    from rich.table import Table

    from mmvideo.cli.ablate import ablate
    from mmvideo.report.suite import write_suite
    from mmvideo.runs.execute import execute

    failed = 0
    if set(options.tasks) & set(WARM):
        for config in teachers():
            print(f"encoders to start from: {execute(config, root=options.root)}")
    for task in options.tasks:
        seeds = [str(seed) for seed in options.seeds]
        command = [__file__, "--root", str(options.root), "--out", str(options.out)]
        own = ["--task", task, "--fusions", *options.fusions, "--root", str(options.root)]
        failed |= ablate([*command, "--seeds", *seeds, "--", *own])
    folders = [options.root / f"interactions-{task}" for task in options.tasks]
    table = write_suite(folders, options.out / "interactions")
    shown = Table(*table.columns, title="Interactions")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(width=200).print(shown)
    print(f"table and figures: {options.out / 'interactions'}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Suite, description=__doc__)))
