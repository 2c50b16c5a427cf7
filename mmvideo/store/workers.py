"""Disposable processes that decode clips. A worker may hang, leak or crash; only its clip is lost."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait

from mmvideo.files import Unwritable
from mmvideo.store.builder import Decoded, Job, Lost

CLIPS_PER_WORKER = 500
"""After so many clips a worker is replaced: decoders leak."""
START_LIMIT = 60.0
"""Seconds a worker may take to start."""
PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from mmvideo.store.builder import serve; serve(int(sys.argv[1]))"
)
"""A fresh interpreter: a forked copy of a threaded process may hang, and a spawned one would run the caller's
script once more, whatever that imports."""


def decode_all(
    jobs: Sequence[Job], *, workers: int, time_limit: float
) -> Iterator[tuple[Job, Decoded | Lost]]:
    """Run the jobs in worker processes and yield each with its outcome, in the order they end.

    A worker is ended after `time_limit` seconds on one clip.

    Raises:
        Unwritable: a worker could not write a clip.
        RuntimeError: workers do not start.
    """
    waiting = deque(jobs)
    crew: list[Worker] = []
    try:
        crew += (Worker() for _ in range(min(workers, len(jobs))))
        while crew:
            for worker in _due(crew):
                job, outcome = worker.job, worker.outcome(time_limit)
                if isinstance(outcome, Unwritable):
                    raise outcome
                if not waiting or not worker.alive or worker.served == CLIPS_PER_WORKER:
                    crew.remove(worker)
                    worker.end()
                    crew += [Worker()] if waiting else []
                else:
                    worker.give(waiting.popleft(), time_limit)
                if job is not None and outcome is not None:
                    yield job, outcome
    finally:
        for worker in crew:
            worker.end()


class Worker:
    """One process, and the clip it is at."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            command = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), *sys.path]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        self.alive = True
        self.job: Job | None = None
        self.served = 0
        self.deadline = time.monotonic() + START_LIMIT

    def give(self, job: Job, time_limit: float) -> None:
        self.job, self.deadline = job, time.monotonic() + time_limit
        with suppress(OSError):  # it has died; that is seen when its answer is read
            self.connection.send(job)

    def outcome(self, time_limit: float) -> Decoded | Lost | Unwritable | None:
        """What it says of its clip, or what its end says; None if it has only started.

        Raises:
            RuntimeError: it did not start.
        """
        answer: Decoded | Lost | Unwritable | None
        code = None
        try:
            if self.connection.poll():
                answer = self.connection.recv()
                self.served += self.job is not None
                self.job = None
                return answer
        except (EOFError, OSError):
            code = self.process.wait()
        self.alive = False
        if self.job is None:
            why = f"nothing heard for {START_LIMIT:g} s" if code is None else f"exit code {code}"
            raise RuntimeError(f"A decoding process ({sys.executable}) did not start: {why}")
        late = f"decoding took longer than {time_limit:g} s"
        return Lost(late if code is None else f"the decoder crashed (exit code {code})", killed=True)

    def end(self) -> None:
        """End the process, whatever it is at, and wait until it is gone."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def _due(crew: Sequence[Worker]) -> list[Worker]:
    """Wait for the workers that have something to say, or have had their time."""
    by_connection = {worker.connection: worker for worker in crew}
    left = min(worker.deadline for worker in crew) - time.monotonic()
    heard = [by_connection[one] for one in wait(list(by_connection), max(0.0, left))]  # type: ignore[index]
    return heard or [worker for worker in crew if worker.deadline <= time.monotonic()]
