"""Draw further than the suite does: every property test marked `fuzz`, for a while, in a process of its own.

`make fuzz MINUTES=5` prints, for each target, how many examples were tried, in how many seconds, by how much
memory grew, and whether one failed. What failed is kept: its message and a line that draws it again in
OUT/<target>.txt, the example itself in OUT/examples, with which the next `make fuzz` begins.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "fixtures"))

from fuzzing import OUT, RESULT, SECONDS  # noqa: E402

GRACE = 180.0
"""Seconds beyond its time that a target may take to start and to make a failing example smaller."""
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "fuzz"]


def targets(chosen: list[str]) -> list[str]:
    """The node ids of all tests marked `fuzz` whose names hold one of the given words."""
    found = subprocess.run(
        [*PYTEST, "--collect-only", str(TESTS)], cwd=TESTS.parent, capture_output=True, text=True, check=False
    )
    if found.returncode not in (0, 5):  # 5: none is marked
        sys.exit(found.stdout + found.stderr)
    names = [line for line in found.stdout.splitlines() if re.match(r"\S+\.py::", line)]
    return [name for name in names if not chosen or any(word in name for word in chosen)]


def fuzz(target: str, seconds: float, out: Path) -> tuple[str, bool]:
    """The target's line of the table, and whether it held."""
    (out / RESULT).unlink(missing_ok=True)
    name = re.sub(r"\W+", "_", target.partition("::")[2])
    report = out / f"{name}.txt"
    report.unlink(missing_ok=True)
    environment = os.environ | {SECONDS: str(seconds), OUT: str(out)}
    try:
        ran = subprocess.run(
            [*PYTEST, "--timeout=0", target], cwd=TESTS.parent, env=environment, timeout=seconds + GRACE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
        output, code = ran.stdout, ran.returncode
        ended = {0: "none", 1: "failed"}.get(code, f"crashed ({code})")
    except subprocess.TimeoutExpired as error:
        output, ended = str(error.stdout), "hangs"
    held = ended == "none"
    if not held:
        report.write_text(output, encoding="utf-8")
    file = out / RESULT
    done = json.loads(file.read_text()) if file.is_file() else {}
    numbers = [f"{done.get(key, '–'):>9}" for key in ("examples", "seconds", "megabytes")]
    return f"{name:<72}{''.join(numbers)}  {ended}{'' if held else f': {report}'}", held


def main() -> None:
    """Fuzz all targets; exit code 1 if one failed."""
    parser = argparse.ArgumentParser(description="Property tests, further than the suite goes")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--out", type=Path, default=Path("reports/fuzz"), help="where failures are kept")
    parser.add_argument("--list", action="store_true", help="name the targets and stop")
    parser.add_argument("words", nargs="*", help="only targets whose names hold one of these")
    options = parser.parse_args()
    found = targets(options.words)
    if not found:
        sys.exit("no target is called so; `--list` names them all")
    if options.list:
        print("\n".join(found))
        return
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    print(f"{'target':<72}{'examples':>9}{'seconds':>9}{'MB':>9}  failures", flush=True)
    all_held = True
    for target in found:
        line, held = fuzz(target, 60 * options.minutes, out)
        print(line, flush=True)
        all_held &= held
    sys.exit(0 if all_held else 1)


if __name__ == "__main__":
    main()
