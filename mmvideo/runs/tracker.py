"""What a run tells a dashboard, and under which id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from mmvideo.records import RunResult

ID_LENGTH = 128
"""Characters that W&B allows for a run's id."""


class Tracker(Protocol):
    """What a run tells the dashboard. Call sites need no branches: `NoTracker` takes the same calls."""

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        """One line of metrics.jsonl. Its values appear as `<split>/<name>` over `step` (optimiser steps)."""

    def finish(self, result: RunResult) -> None:
        """The run's final numbers; ends the mirror."""

    def close(self) -> None:
        """Ends the mirror of what has no result of its own: a trial."""

    def fail(self) -> None:
        """Ends the mirror of a run that stopped before its result; the dashboard shows it as failed."""


class NoTracker:
    """Takes the calls of a tracker and does nothing."""

    def log(self, metrics: Mapping[str, Any], step: int) -> None:
        return

    def finish(self, result: RunResult) -> None:
        return

    def close(self) -> None:
        return

    def fail(self) -> None:
        return


def dashboard_id(*parts: str) -> str:
    """The parts, joined and shortened to what W&B takes for a run's id."""
    whole = "-".join(parts).replace(".", "-").replace("+", "-")
    if len(whole) <= ID_LENGTH:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:10]
    return f"{whole[: ID_LENGTH - len(digest) - 1]}-{digest}"
