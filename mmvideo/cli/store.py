"""`mmvideo store ls | verify | gc`: looking after the store of decoded clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmvideo.cli.options import first_positional, parse
from mmvideo.clips.hashing import ContentHashes
from mmvideo.clips.manifest import read_manifest
from mmvideo.config import DataConfig
from mmvideo.errors import InputError, unknown
from mmvideo.store.maintenance import collect_garbage, kinds, verify

DEFAULT_ROOT = Path(str(DataConfig.model_fields["store"].default))
SHOWN = 20
"""How many files a list shows before it counts the rest."""


@dataclass
class List:
    """What a store holds, by the settings it was made with."""

    root: Path = DEFAULT_ROOT
    """The store's folder (data.store of a run)."""


@dataclass
class Verify:
    """Read every file of a store and compare it with its checksum. Exit code 1 if one is damaged."""

    root: Path = DEFAULT_ROOT
    """The store's folder (data.store of a run)."""
    delete: bool = False
    """Delete what is damaged; the next build decodes it again."""


@dataclass
class Collect:
    """Find what no given manifest refers to, at any settings. Nothing is deleted unless asked for."""

    manifest: tuple[Path, ...]
    """All manifests whose clips are to stay."""
    root: Path = DEFAULT_ROOT
    """The store's folder (data.store of a run)."""
    delete: bool = False
    """Delete it. Not while another process builds the store or trains from it."""


def store(arguments: list[str]) -> int:
    """`mmvideo store ls | verify | gc [OPTIONS]`"""
    actions: dict[str, Callable[[list[str]], int]] = {"ls": _list, "verify": _verify, "gc": _collect}
    name = first_positional(arguments)
    if name is None:
        print(
            "usage: mmvideo store ls | verify | gc [OPTIONS]\n\n`mmvideo store ls --help` explains an action."
        )
        if not {"-h", "--help"} & set(arguments):
            raise InputError("store needs an action: ls, verify or gc.")
        return 0
    if name not in actions:
        raise unknown("action of store", name, actions)
    return actions[name](arguments[1:])


def _list(arguments: list[str]) -> int:
    options = parse(List, "store ls", arguments)
    found = kinds(options.root)
    for kind in found:
        print(f"{kind.count:,} files, {_size(kind.bytes)}: {kind.settings}")
        for pattern, count in sorted(kind.patterns.items(), key=lambda pair: -pair[1]):
            print(f"  {count:>9,} {pattern}")
    print(f"In all {sum(k.count for k in found):,} files, {_size(sum(k.bytes for k in found))}.")
    return 0


def _verify(arguments: list[str]) -> int:
    options = parse(Verify, "store verify", arguments)
    found = verify(options.root, delete=options.delete, progress=True)
    print(f"{found.sound:,} sound, {len(found.damaged):,} damaged, {found.unchecked:,} without a checksum.")
    _show(found.damaged)
    if found.damaged:
        print("Deleted; the next build makes them again." if options.delete else "--delete removes them.")
    return 1 if found.damaged and not options.delete else 0


def _collect(arguments: list[str]) -> int:
    options = parse(Collect, "store gc", arguments)
    manifests = [read_manifest(path) for path in options.manifest]
    hashes = ContentHashes(options.root / "hashes.json")
    found = collect_garbage(options.root, manifests, hashes, delete=options.delete)
    print(f"{found.kept:,} files belong to the manifests and stay.")
    if found.unknown:
        print(f"{found.unknown:,} stay because it is not recorded what they were made from.")
    print(f"{len(found.unneeded):,} belong to none, {len(found.abandoned):,} were left unfinished.")
    _show([*found.unneeded, *found.abandoned])
    print(f"{_size(found.bytes)} {'deleted' if options.delete else 'would be freed; --delete frees it'}.")
    return 0


def _show(paths: tuple[Path, ...] | list[Path]) -> None:
    for path in paths[:SHOWN]:
        print(f"  {path}")
    if len(paths) > SHOWN:
        print(f"  … and {len(paths) - SHOWN:,} more")


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GB" if count >= 2**30 else f"{count / 2**20:.1f} MB"
