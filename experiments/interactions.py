"""Which interactions can each fusion strategy represent, and how fast does it learn them?

Every strategy on every planted task, where the best possible accuracy is known. One study a task; then one
table over all of them: whether a strategy reaches the limit (equivalence within 3 points), whether it goes
beyond what adding up the modalities' votes can do, and after how many steps and seconds.

Encoders are `frozen` by default: they have learnt what their own modality shows (perception.py), so the table
tells of the fusion alone. With `--encoders trained` everything is learnt together from scratch.

Command: make interactions, or for one task: mmvideo ablate experiments/interactions.py -- --task routed
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import bases
import tyro
from fusion_strategies import known_limits
from perception import perceivers

from mmvideo.config import NamedConfig, RunConfig, TrainConfig
from mmvideo.data.planted import PlantedSpec, generate
from mmvideo.registry import FUSIONS
from mmvideo.runs.data import open_data
from mmvideo.runs.directory import RunDirectory
from mmvideo.runs.study import Arm, Study
from mmvideo.words import unknown

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

ON_FROZEN = TrainConfig(epochs=8, batch_size=32, learning_rate=1e-3, patience=8)
"""With frozen encoders: 600 steps, for every task and strategy."""

VARIANTS = {
    "hierarchical_unaligned": NamedConfig(name="hierarchical", options={"aligned": False}),
    "stems": NamedConfig(name="hierarchical", options={"levels": "stem"}),
    "stems_unaligned": NamedConfig(name="hierarchical", options={"levels": "stem", "aligned": False}),
}
"""Arms that are a strategy with other options. Stems carry no time of their own: a frame's CNN and a patch of
sound do not know when they are, while recurrent trunks do. So `stems` tells what alignment is worth."""

DEFAULT = ("early", "late", "late_sum", "hierarchical")


def study(
    task: str = "routed",
    fusions: tuple[str, ...] = DEFAULT,
    encoders: Encoders = "frozen",
    data: Path = Path("data/planted"),
    root: Path = Path("runs"),
) -> Study:
    """All strategies on one planted task.

    Args:
        task: A planted task, such as routed, redundant, sync or unique_audio.
        fusions: Names of mmvideo.registry.FUSIONS, or one of VARIANTS; `all` stands for all of them.
        encoders: `frozen`: taught before what their modality shows. `trained`: from scratch, with the fusion.
        data: Folder of planted data sets; the task's own is made in it if it is not there.
        root: Folder of run directories, where the runs are that taught the frozen encoders.
    """
    if task not in EPOCHS:
        raise unknown("planted task", task, EPOCHS)
    known = {**{name: NamedConfig(name=name) for name in FUSIONS if name != "single"}, **VARIANTS}
    for name in fusions:
        if name != "all" and name not in known:
            raise unknown("fusion", name, known)
    base = bases.planted(str(generate(PlantedSpec(task=task), data / task)))
    if encoders == "frozen":
        places = [str(place(config, root).path) for config in perceivers(task, data)]
        update = {"train": ON_FROZEN, "encoders_from": tuple(places), "encoders_frozen": True}
    else:
        epochs = EPOCHS[task]
        update = {"train": base.train.model_copy(update={"epochs": epochs, "patience": epochs})}
    base = base.model_copy(update=update)
    chosen = known if "all" in fusions else {name: known[name] for name in fusions}
    return Study(
        name=name_of(task, encoders),
        title=f"Interactions: planted '{task}', encoders {encoders}",
        arms=tuple(Arm(name, base.model_copy(update={"fusion": fusion})) for name, fusion in chosen.items()),
        axes=("fusion",),
        seeds=(0, 1, 2, 3, 4),
        limits=known_limits(task),
    )


def name_of(task: str, encoders: Encoders) -> str:
    return f"interactions-{task}" if encoders == "frozen" else f"interactions_trained-{task}"


def place(config: RunConfig, root: Path) -> RunDirectory:
    """Where the run is, or will be."""
    fingerprint = open_data(config.data, progress=True).for_run(config).fingerprint
    return RunDirectory.locate(root, config, fingerprint)


@dataclass
class Suite:
    """Run the suite and write one table over all its tasks."""

    tasks: tuple[str, ...] = tuple(EPOCHS)
    """Planted tasks."""
    fusions: tuple[str, ...] = ("all",)
    """Strategies."""
    encoders: Encoders = "frozen"
    """Whether encoders have learnt before what their modality shows, or learn together with the fusion."""
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
    data = Path("data/planted")
    for task in options.tasks:
        if options.encoders == "frozen":
            for config in perceivers(task, data):
                run = RunDirectory(execute(config, root=options.root))
                accuracy = run.result()["test"]["accuracy"]
                print(f"encoder of {config.arm}: {100 * accuracy:.1f} % on test, {run.path}")
        seeds = [str(seed) for seed in options.seeds]
        command = [__file__, "--root", str(options.root), "--out", str(options.out)]
        own = ["--task", task, "--encoders", options.encoders, "--root", str(options.root)]
        failed |= ablate([*command, "--seeds", *seeds, "--", *own, "--fusions", *options.fusions])
    folders = [options.root / name_of(task, options.encoders) for task in options.tasks]
    out = options.out / ("interactions" if options.encoders == "frozen" else "interactions_trained")
    table = write_suite(folders, out)
    shown = Table(*table.columns, title="Interactions")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(width=200).print(shown)
    print(f"table and figures: {out}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Suite, description=__doc__)))
