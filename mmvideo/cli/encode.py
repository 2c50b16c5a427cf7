"""`mmvideo encode`: what frozen encoders make of clips, computed ahead of training."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from mmvideo.cli.options import parse, split
from mmvideo.config import RunConfig
from mmvideo.errors import InputError
from mmvideo.studies.base import is_record, load_base
from mmvideo.studies.engines.local import default_workers
from mmvideo.studies.loading import load_function
from mmvideo.studies.overrides import overridden
from mmvideo.studies.study import Arm, Study
from mmvideo.terminal import visible
from mmvideo.vocabulary import counted
from mmvideo.workers import check_workers


@dataclass
class Encode:
    """Encode every clip with the frozen encoders of a base, or of a study's arms, ahead of training.

    What they make of a clip is kept in the store, where all runs read it; what is there already is not made
    again, so that an interrupted command goes on where it stopped. Several commands at once, on one machine
    or on several that share the store, share the work. A clip that cannot be encoded is listed at the end.
    Options of the base's or study's own function stand behind `--`.
    """

    what: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="BASE|STUDY")]
    """A function that returns a RunConfig or a Study, as path/to/file.py:function or package.module:function
    (`study`, else `base`, if only the file or module is given), or the directory of an earlier run."""
    overrides: Annotated[
        tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]],
        tyro.conf.arg(name="set", metavar="FIELD=VALUE …"),
    ] = ()
    """Fields of the configuration, such as `data.manifest=data/mine/manifest.jsonl`; may be repeated."""
    workers: int | None = None
    """Processes that encode at once; None: one on a GPU, else as many as the cores allow."""


def run(arguments: list[str]) -> int:
    """`mmvideo encode BASE|STUDY [OPTIONS] [-- ITS OWN OPTIONS]`"""
    own, of_function = split(arguments)
    options = parse(Encode, "encode", own)
    check_workers(options.workers)
    assignments = [assignment for given in options.overrides for assignment in given]
    study = overridden(_study(options.what, of_function), assignments)
    from mmvideo.runs.encoding import caches

    code = 0
    for name, cache in caches(arm.config for arm in study.arms):
        if cache is None:
            print(f"{name}: its encoder is trained, or not cached; there is nothing to encode")
            continue
        clips, todo = len(cache.encoded.clip_keys), cache.encoded.missing()
        print(f"{cache.title}: {counted(clips, 'clip')}, {clips - len(todo):,} encoded before", flush=True)
        began = time.monotonic()
        if todo:
            failed = cache.fill(todo, options.workers or default_workers(cache.config))
            rate = len(todo) / (time.monotonic() - began)
            print(f"{cache.title}: {len(todo) - len(cache.encoded.missing()):,} encoded, {rate:.3g} a second")
            if failed:
                code = 1
                print(f"mmvideo: error: {visible(failed)}", file=sys.stderr)
    return code


def _study(what: str, arguments: list[str]) -> Study:
    """The study, or one whose only arm is the base, as its function makes it of its own flags."""
    if is_record(what):
        made: Any = load_base(what)
    else:
        made = tyro.cli(_function(what), prog=f"mmvideo encode {what} --", args=arguments)
    if isinstance(made, RunConfig):
        return Study("encode", what, (Arm("base", made),), ("fusion",), (made.seed,))
    if isinstance(made, Study):
        return made
    raise InputError(f"'{what}' must return a RunConfig or a Study; it returned {type(made).__name__}.")


def _function(what: str) -> Callable[..., Any]:
    try:
        return load_function(what, "study")
    except InputError:
        return load_function(what, "base")
