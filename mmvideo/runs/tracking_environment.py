"""What the environment says of the dashboard: the mode, whether there is a key, and a sweep's trial."""

from __future__ import annotations

import netrc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

TRIAL = ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH")
"""How a sweep's agent tells a trial which run it is."""
MODES = {"dryrun": "offline", **{mode: mode for mode in ("online", "offline", "disabled", "shared")}}


def in_trial() -> bool:
    """Whether a sweep's agent has started this process."""
    return "WANDB_SWEEP_ID" in os.environ


def takes_trial(folder: Path, id: str) -> bool:
    """Whether this is the run that a sweep's agent waits for: the first of a trial that starts in the study's
    folder, also when it is resumed. Others would overwrite it, and have ids of their own."""
    file = folder / "wandb" / f"trial-{os.environ.get('WANDB_RUN_ID', '')}"
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x") as taken:
            taken.write(id)
    except FileExistsError:
        return file.read_text() == id
    return True


@contextmanager
def outside_trial() -> Iterator[None]:
    """Within it, no trial stands in the environment."""
    hidden = {name: os.environ.pop(name) for name in TRIAL if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def wanted_mode() -> str | None:
    """WANDB_MODE as W&B itself reads it, which refuses a capital; None where it is empty or not set.

    An unknown one is told and counts as offline: nothing is uploaded that was not to be.
    """
    given = os.environ.pop("WANDB_MODE", "").strip()
    mode = MODES.get(given.lower()) if given else None
    if given and mode is None:
        mode = "offline"
        warn(
            f"WANDB_MODE is '{given}', which is no mode of W&B. Allowed: {', '.join(MODES)}. It is taken as "
            "offline: runs are recorded, and nothing is uploaded"
        )
    if mode is not None:
        os.environ["WANDB_MODE"] = mode
    return mode


def has_key(base_url: str) -> bool:
    """Whether W&B would find a key for this server, and so not ask for one."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    candidates = [os.environ["NETRC"]] if "NETRC" in os.environ else ["~/.netrc", "~/_netrc"]
    files = [path for path in map(os.path.expanduser, candidates) if os.path.isfile(path)]
    return any(netrc.netrc(path).authenticators(urlsplit(base_url).hostname or "") for path in files)


def warn(message: str) -> None:
    """One line on standard error."""
    print(f"mmvideo: warning: {message}", file=sys.stderr)
