"""Runs that are killed, for test_faults: python crashes.py CONFIG FOLDER writes|moments

Every attempt is a fork of this process, so that what a run imports is imported once. `writes`: the run is
killed as it makes its first change to a file, its second, …; each time it is carried on, and must leave what
an undisturbed run does. `moments`: three runs, one after another in a process group, that is killed at 8
random moments, or as many as MMVIDEO_KILLS says.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmvideo.config import RunConfig, load_config
from mmvideo.runs.execute import execute

MOMENTS = int(os.environ.get("MMVIDEO_KILLS", "8"))


def main(config: RunConfig, folder: Path, kind: str) -> None:
    configs = [config.model_copy(update={"seed": seed}) for seed in range(1 if kind == "writes" else 3)]
    _, count = fork(lambda: run(configs, folder / "undisturbed"), folder)
    for module in (folder / "imported").read_text().split():
        importlib.import_module(module)
    expected = outputs(folder / "undisturbed")
    kills = at_every_write(configs, folder, count) if kind == "writes" else at_moments(configs, folder)
    checked = 0
    for root in kills:
        assert outputs(root) == expected, f"{root}: other numbers than an undisturbed run"
        checked += 1
    print(f"{count} writes, {checked} times the same")


def at_every_write(configs: list[RunConfig], folder: Path, count: int) -> Iterator[Path]:
    for number in range(1, count + 1):
        root = folder / f"write{number}"
        status, _ = fork(lambda root=root: run(configs, root), folder, kill_at=number)  # type: ignore[misc]
        assert os.WIFSIGNALED(status), f"write {number} of {count} was not reached"
        status, _ = fork(lambda root=root: run(configs, root), folder)  # type: ignore[misc]
        assert status == 0, f"after a kill at write {number}"
        yield root


def at_moments(configs: list[RunConfig], folder: Path) -> Iterator[Path]:
    began = time.monotonic()
    fork(lambda: run(configs, folder / "timed"), folder)  # without imports, unlike the first
    seconds, draw = time.monotonic() - began, random.Random(0)
    kills, number = 0, 0
    while kills < MOMENTS:
        number += 1
        root = folder / f"moments{number}"
        status = -1
        while status != 0:
            after = draw.uniform(0, seconds) if kills < MOMENTS else None
            status, _ = fork(lambda root=root: run(configs, root), folder, kill_after=after)  # type: ignore[misc]
            kills += status != 0
        yield root


def run(configs: list[RunConfig], root: Path) -> None:
    for config in configs:
        execute(config, root=root)


def fork(
    work: Callable[[], None], folder: Path, kill_at: int | None = None, kill_after: float | None = None
) -> tuple[int, int]:
    """The exit status of a copy of this process that does the work, and how many writes it began."""
    counted = folder / "count"
    child = os.fork()
    if not child:
        os.setsid()
        writes = 0

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal writes
            if is_write(event, arguments, folder):
                writes += 1
                if writes == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        work()
        done, folder = writes, Path("/nowhere")
        counted.write_text(str(done))
        counted.with_name("imported").write_text(" ".join(sys.modules))
        os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return status, int(counted.read_text()) if status == 0 else 0


def is_write(event: str, arguments: tuple[Any, ...], folder: Path) -> bool:
    """Whether a file of the folder is about to be put in place, grown or removed.

    Files that appear whole are written under another name before: these are there when the process is killed.
    """
    if event == "open":
        path, _, flags = arguments
        return bool(flags & os.O_APPEND) and str(path).startswith(str(folder))
    return event in ("os.rename", "os.remove") and str(arguments[0]).startswith(str(folder))


def outputs(root: Path) -> dict[str, bytes]:
    """What a run says of each clip, by its folder and file."""
    found = sorted(root.glob("*/*/predictions_*.jsonl"))
    return {str(file.relative_to(root)): file.read_bytes() for file in found}


if __name__ == "__main__":
    given, where, how = sys.argv[1:]
    main(load_config(given, "the first argument"), Path(where), how)
