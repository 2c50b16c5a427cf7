"""What the tests of `mmvideo.workers` let worker processes do; they import it by this name."""

from __future__ import annotations

import os
import signal
import time


def do(job: str) -> str:
    """Has the trouble that the job is named for; else answers with its own process."""
    match job:
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(60)
        case "raise":
            raise ZeroDivisionError("a bug")
    return f"{os.getpid()} {os.environ.get('MMVIDEO_TEST', '')}"
