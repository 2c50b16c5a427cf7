"""`mmvideo check`: whether a component of one's own keeps what its kind promises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from mmvideo.cli.options import parse
from mmvideo.errors import InputError


@dataclass
class Check:
    """Hold a fusion, an encoder or an objective to the contract of its kind, and list what it keeps.

    In training with gradients and in evaluation without; fusions and objectives with one, two and three
    modalities. Exit code 1 if a promise is broken.
    """

    component: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODULE:CLASS")]
    """Your own package.module:Class or folder/file.py:Class, below the working directory too; or a registered
    name."""
    options: tuple[str, ...] = ()
    """Options of the component, as heads=2 level=stem."""


def run(arguments: list[str]) -> int:
    """`mmvideo check MODULE:CLASS [--options KEY=VALUE …]`"""
    given = parse(Check, "check", arguments)
    options = dict(_option(text) for text in given.options)
    from mmvideo.contract.check import check_component, chosen

    checked = check_component(chosen(given.component, options))
    print(f"{checked.kind} {given.component}")
    for outcome in checked.outcomes:
        if outcome.failure is None:
            print(f"passed  {outcome.promise}")
    for failure, promises in checked.failures.items():
        print("\n".join(f"FAILED  {promise}" for promise in promises))
        print(f"        {failure}")
    for reason in checked.left_out:
        print(f"not tried {reason}")
    total, broken = len(checked.outcomes), len(checked.broken)
    print(f"{broken} of {total} promises broken" if broken else f"all {total} promises kept")
    return 1 if broken else 0


def _option(text: str) -> tuple[str, Any]:
    """`heads=2` → ("heads", 2); what is no JSON is a word."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--options takes KEY=VALUE pairs, such as heads=2; got '{text}'")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
