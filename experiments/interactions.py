"""Which interactions can each fusion strategy represent, and how fast does it learn them?

Every strategy on every planted task, where the best possible accuracy is known. One study a task; then one
table over all of them: whether a strategy reaches the limit (equivalence within 3 points), whether it goes
beyond what adding up the modalities' votes can do, and after how many steps and seconds. Strategies that fall
short are trained again with five times the steps, which finds those that are only slow; it does not prove of
the others that they cannot.

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

from mmvideo.components import FUSIONS
from mmvideo.config import NamedConfig, RunConfig, TrainConfig
from mmvideo.data.run_data import open_data
from mmvideo.errors import unknown
from mmvideo.planted import PlantedSpec, generate
from mmvideo.runs.directory import RunDirectory
from mmvideo.studies.study import Arm, Study

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

DATA = Path("data/planted")

ON_FROZEN = TrainConfig(epochs=8, batch_size=32, learning_rate=1e-3)
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
        frozen = {"encoders_from": tuple(places), "encoders_frozen": True, "train": ON_FROZEN}
        base = base.model_copy(update=frozen)
    epochs = budget * (EPOCHS[task] if encoders == "trained" else ON_FROZEN.epochs)
    train = base.train.model_copy(update={"epochs": epochs, "patience": epochs})
    base = base.model_copy(update={"train": train})
    chosen = known if "all" in fusions else {name: known[name] for name in fusions}
    return Study(
        name=name_of(task, encoders, budget),
        title=f"Interactions: planted '{task}', encoders {encoders}"
        + (f", {budget} times the steps" if budget > 1 else ""),
        arms=tuple(Arm(name, base.model_copy(update={"fusion": fusion})) for name, fusion in chosen.items()),
        axes=("fusion",),
        seeds=(0, 1, 2, 3, 4),
        limits=known_limits(task),
    )


def name_of(task: str, encoders: Encoders, budget: int = 1) -> str:
    name = f"interactions-{task}" if encoders == "frozen" else f"interactions_trained-{task}"
    return name if budget == 1 else f"{name}-x{budget}"


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
        if options.encoders == "frozen":
            _teach(task, options.root)
        failed |= _carry_out(options, task, options.fusions, 1)
        folders.append(options.root / name_of(task, options.encoders))
        table = suite_table(folders[-1:])
        short = tuple(table["arm"][table["verdict"] != REACHES])
        if short and options.longer > 1:
            failed |= _carry_out(options, task, short, options.longer)
            folders.append(options.root / name_of(task, options.encoders, options.longer))
    out = options.out / ("interactions" if options.encoders == "frozen" else "interactions_trained")
    table = write_suite(folders, out)
    shown = Table(*table.columns, title="Interactions")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(width=200).print(shown)
    print(f"table and figures: {out}")
    return failed


def _teach(task: str, root: Path) -> None:
    """Train the encoders of a task's modalities, those that are not there yet."""
    from mmvideo.runs.execute import execute

    for config in perceivers(task, DATA):
        run = RunDirectory(execute(config, root=root))
        accuracy = run.result().test["accuracy"]
        print(f"encoder of {config.arm}: {100 * accuracy:.1f} % on test, {run.path}")


def _carry_out(options: Suite, task: str, fusions: tuple[str, ...], budget: int) -> int:
    from mmvideo.cli.ablate import ablate

    seeds = [str(seed) for seed in options.seeds]
    command = [__file__, "--root", str(options.root), "--out", str(options.out), "--seeds", *seeds]
    own = {"task": task, "encoders": options.encoders, "budget": budget, "root": options.root}
    given = [word for name, value in own.items() for word in (f"--{name}", str(value))]
    return ablate([*command, "--", *given, "--fusions", *fusions])


if __name__ == "__main__":
    raise SystemExit(main(tyro.cli(Suite, description=__doc__)))
