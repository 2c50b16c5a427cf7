"""`mmvideo dashboard`: all studies of a folder while they run, in a browser; or their views on W&B."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import parse
from mmvideo.errors import InputError
from mmvideo.evaluation.tasks import TASKS
from mmvideo.files import read_record, read_rows
from mmvideo.records import METRICS, MetricLine, run_remedy
from mmvideo.study_records import COMPARISON, STUDY, ComparisonRecord
from mmvideo.terminal import note


@dataclass
class Dashboard:
    """Show all studies of a folder while they run: progress, time left, intervals, failures, comparison.

    The page keeps up with them by itself. Nothing is written, and nothing is told to others: it answers on
    this machine only, unless --host says otherwise.
    """

    root: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="ROOT")] = Path("runs")
    """Folder of studies, as in `mmvideo ablate --root`."""
    reports: Path = Path("reports")
    """Folder of their reports, as in `mmvideo ablate --out`."""
    host: str = "127.0.0.1"
    """Address to answer on. Any other than this machine's own shows the studies to whoever can reach it."""
    port: int = 8765
    """Port; 0 takes a free one."""
    names: tuple[str, ...] = ()
    """Further host names that a browser may call it by, such as that of a server in the local network."""
    wandb: bool = False
    """Instead, make a workspace and a report on W&B for each study that has been reported on."""
    project: str = "mmvideo"
    """W&B project, as in `tracking.project`."""
    entity: str | None = None
    """W&B user or team. None: the key's own."""


def run(arguments: list[str]) -> int:
    """`mmvideo dashboard [ROOT] [OPTIONS]`"""
    options = parse(Dashboard, "dashboard", arguments)
    if not options.root.is_dir():
        raise InputError(
            f"There is no folder '{options.root}'. Give the one that `mmvideo ablate` writes to."
        )
    if (options.root / STUDY).is_file():
        raise InputError(
            f"'{options.root}' is one study. Give the folder it lies in, '{options.root.parent}'."
        )
    return _views(options) if options.wandb else _serve(options)


def _views(options: Dashboard) -> int:
    """Workspaces and reports on W&B; without a key, what to do."""
    from mmvideo.runs.tracking import view_account
    from mmvideo.runs.wandb_views import publish

    files = {folder: options.reports / folder.name / COMPARISON for folder in sorted(options.root.iterdir())}
    records = {
        folder: read_record(file, ComparisonRecord, "`mmvideo compare` writes it again.")
        for folder, file in files.items()
        if file.is_file()
    }
    if not records:
        raise InputError(
            f"No study of '{options.root}' has a report in '{options.reports}', from which views are made. "
            f"`mmvideo compare {options.root}/STUDY --out {options.reports}` writes it."
        )
    entity, has_key = view_account(options.entity)
    if not has_key:
        names = ", ".join(record.study for record in records.values())
        print(
            f"No key for W&B, or WANDB_MODE says offline: nothing was sent. To see {names} there: `wandb "
            "login`, upload the runs (`wandb sync RUNS/STUDY/wandb/offline-run-*`), and then the "
            "same command."
        )
        return 0
    for folder, record in records.items():
        workspace, report = publish(record, options.project, entity, _reported(folder, record))
        print(f"{record.study}: workspace {workspace}\n{' ' * len(record.study)}  report {report}")
    return 0


def _reported(folder: Path, record: ComparisonRecord) -> list[str]:
    """What the study's fusions report of themselves, by the names that W&B has it under."""
    score, found = TASKS[record.task].score, dict[str, None]()
    for file in sorted(folder.glob(f"*/{METRICS}")):
        rows = read_rows(file, MetricLine, run_remedy(file.parent), torn=True)
        for line in [row for row in rows if row.split == "val"][-1:]:
            extra = line.__pydantic_extra__
            found |= dict.fromkeys(
                f"val/{n}" for n in extra if n != score and not n.startswith(f"{score}_only_")
            )
    return list(found)


def _serve(options: Dashboard) -> int:
    import uvicorn

    from mmvideo.report.dashboard.server import LOOPBACK, app

    with _listening(options.host, options.port) as listening:
        port = listening.getsockname()[1]
        if options.host not in LOOPBACK:
            note(f"whoever can reach {options.host}:{port} can read these studies: there is no password.")
        names = (*LOOPBACK, options.host, *options.names)
        config = uvicorn.Config(
            app(options.root, options.reports, names), log_level="warning", lifespan="off"
        )
        print(f"dashboard of {options.root}: http://{options.host}:{port}/ (Ctrl-C ends it)", flush=True)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            return 0
    return 0


def _listening(host: str, port: int) -> socket.socket:
    """
    Raises:
        InputError: the address is not this machine's, or the port is taken.
    """
    try:
        return socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        raise InputError(
            f"The dashboard cannot answer on {host}, port {port}: {error}. Choose another with --port or "
            "--host; --port 0 takes a free one."
        ) from error
