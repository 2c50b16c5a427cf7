"""The command `mmvideo`. A subcommand's module is loaded when it is called, so that `--help` is quick."""

from __future__ import annotations

import importlib
import os
import select
import sys
from collections.abc import Sequence
from functools import partial

from mmvideo.errors import InputError, TrainingError, unknown
from mmvideo.runs.torchrun import in_all
from mmvideo.terminal import show_any_text, visible

COMMANDS: dict[str, tuple[str, str]] = {
    "prepare": ("mmvideo.cli.prepare:prepare", "make a data set's manifest, or a planted data set itself"),
    "train": ("mmvideo.cli.train:train", "train and evaluate one run"),
    "evaluate": (
        "mmvideo.cli.train:evaluate",
        "evaluate a finished run again, on its own or another manifest",
    ),
    "ablate": ("mmvideo.cli.ablate:ablate", "carry out a study: all runs, comparison, report"),
    "contribute": (
        "mmvideo.cli.contribute:run",
        "measure what each modality contributes to finished runs",
    ),
    "sweep": ("mmvideo.cli.sweep:run", "tune every arm of a study by equal trials, then compare their best"),
    "robustness": (
        "mmvideo.cli.robustness:run",
        "measure how finished runs' scores fall with damaged input",
    ),
    "check": ("mmvideo.cli.check:run", "hold a fusion, encoder or objective of your own to its contract"),
    "encoders": ("mmvideo.cli.encoders:run", "list the encoders, and the pretrained models they are made of"),
    "encode": (
        "mmvideo.cli.encode:run",
        "encode clips ahead of training, with a base's or study's frozen encoders",
    ),
    "transcribe": ("mmvideo.cli.transcribe:run", "write subtitles for clips that have none"),
    "inspect": ("mmvideo.cli.inspect:run", "show what the model will see of a clip or a manifest"),
    "compare": ("mmvideo.cli.compare:compare", "report on studies already run"),
    "dashboard": (
        "mmvideo.cli.dashboard:run",
        "show all studies of a folder while they run, or make their views on W&B",
    ),
    "store": ("mmvideo.cli.store:store", "list, verify or clear the store of decoded clips"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; `arguments` default to the process's own.

    A mistake of the user's becomes one message on standard error and exit code 2; training that cannot go on,
    one with exit code 1, that of all work that failed; an interruption, 130; output that nobody reads any
    more, 141, as a shell would say. Any other exception keeps its traceback.
    """
    show_any_text()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            code = _run(given)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        if not _reader_has_left():
            raise
        # what Python still flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def _run(given: list[str]) -> int:
    try:
        return in_all(partial(_dispatch, given))
    except ValueError as error:
        return _complain(_explained(error), 2)
    except TrainingError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("interrupted. What is finished is kept; the same command goes on from there.", 130)


def _reader_has_left() -> bool:
    """Whether it is standard output that broke, as in `mmvideo train --help | head`, and no pipe of ours."""
    state = select.poll()
    state.register(sys.stdout, 0)  # no event is asked for: an error or hang-up is always told
    return bool(state.poll(0))


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(_help())
        return 0
    name, *rest = given
    if name == "--version":
        from mmvideo import __version__

        print(f"mmvideo {__version__}")
        return 0
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS)
    module, _, function = COMMANDS[name][0].partition(":")
    return getattr(importlib.import_module(module), function)(rest)


def _help() -> str:
    lines = [f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: mmvideo COMMAND [OPTIONS]",
            "",
            "Which way of fusing visual, audio and text is better, by how much, and is it really fusing?",
            "",
            *lines,
            "",
            "`mmvideo COMMAND --help` explains a command's options. `--version` prints the version.",
        ]
    )


def _explained(error: ValueError) -> str:
    """What a user is told of a mistake; an error that is none of theirs goes on as it came."""
    if isinstance(error, InputError):
        return str(error)
    from pydantic import ValidationError

    from mmvideo.schema import explain

    if isinstance(error, ValidationError):
        return explain(error)
    raise error


def _complain(message: str, code: int) -> int:
    print(f"mmvideo: error: {visible(message)}", file=sys.stderr)
    return code
