"""`mmvideo dashboard`: all studies of a folder while they run, in a browser."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mmvideo.cli.options import parse
from mmvideo.errors import InputError
from mmvideo.study_records import STUDY
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
    return _serve(options)


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
