"""A study on disks that are full or read-only, for test_faults: unshare -rm python disks.py STUDY FOLDER

Each disk is a tmpfs, mounted in this process's own namespace. Prints as JSON what `mmvideo ablate`
ended with.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

from mmvideo.cli import main

FULL, READ_ONLY = "size=64k", "ro"


def ablate(study: str, **folders: Path) -> dict[str, object]:
    told = io.StringIO()
    given = [word for name, path in folders.items() for word in (f"--{name}", str(path)) if name != "store"]
    given += ["--set", f"data.store={folders['store']}"]
    code: object = 0
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(["ablate", study, "--workers", "1", *given])
        except SystemExit as ended:
            code = ended.code
    return {"code": code, "told": told.getvalue()}


def mount(folder: Path, options: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)


if __name__ == "__main__":
    study, where = sys.argv[1], Path(sys.argv[2])
    os.chdir(where)
    usual = {name: where / "usual" / name for name in ("store", "root", "out")}
    found = {}
    for name, options in (
        ("store", READ_ONLY),
        ("store", FULL),
        ("root", READ_ONLY),
        ("root", FULL),
        ("out", READ_ONLY),
        ("out", FULL),
    ):
        disk = where / f"{name}-{options}"
        mount(disk, options)
        found[f"{name} {options}"] = ablate(study, **(usual | {name: disk}))
        if options == FULL:
            mounted = ["mount", "-o", "remount,size=100m", str(disk)]
            subprocess.run(mounted, check=True)
            found[f"{name} with room"] = ablate(study, **(usual | {name: disk}))
            files = sorted(disk.rglob("predictions_test.jsonl")) if name == "root" else []
            found[f"{name} with room"]["predictions"] = [file.read_text() for file in files]
    print(json.dumps(found))
