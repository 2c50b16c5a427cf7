"""What kills, full disks and other processes do to runs: nothing is lost, and no number changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmvideo.config import RunConfig
from mmvideo.runs.execute import execute

HERE = Path(__file__).parent


@pytest.mark.parametrize("kind", ["writes", "moments"])
@pytest.mark.timeout(300)
def test_a_run_that_is_killed_ends_with_the_same_numbers(
    kind: str, configure: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = configure(text_alone=True, study="killed", arm="text")
    command = [sys.executable, str(HERE / "crashes.py"), config.model_dump_json(), str(tmp_path), kind]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "times the same" in done.stdout


STUDY = """
from pathlib import Path
from mmvideo.config import RunConfig
from mmvideo.studies.study import Arm, Study

def study() -> Study:
    config = RunConfig.model_validate_json(Path("config.json").read_text())
    return Study("small", "Small", (Arm("text", config),), ("fusion",), (0,))
"""


def _may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not _may_mount(), reason="needs to mount file systems of its own")
@pytest.mark.timeout(300)
def test_full_and_read_only_disks_are_named_and_nothing_is_lost(
    configure: Callable[..., RunConfig], tmp_path: Path
) -> None:
    config = configure(text_alone=True)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    (tmp_path / "study.py").write_text(STUDY)
    command = [
        "unshare",
        "-rm",
        sys.executable,
        str(HERE / "disks.py"),
        str(tmp_path / "study.py"),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for disk in ("store ro", "store size=64k", "root ro", "out ro", "out size=64k"):
        name, _, options = disk.partition(" ")
        assert found[disk]["code"] == 2, found[disk]
        assert f"{name}-{options}" in found[disk]["told"], "the folder is named"
        assert found[disk]["told"].count("mmvideo: error: ") == 1
    assert found["root size=64k"]["code"] == 1
    assert "0 runs trained, 0 reused, 1 failed" in found["root size=64k"]["told"]
    assert "No space left on device" in found["root size=64k"]["told"]
    assert [found[f"{name} with room"]["code"] for name in ("store", "root", "out")] == [0, 0, 0]
    alone = execute(config.model_copy(update={"study": "small", "arm": "text"}), root=tmp_path / "alone")
    assert found["root with room"]["predictions"] == [(alone / "predictions_test.jsonl").read_text()]
