"""Disposable worker processes: a job may hang, leak or crash its process; only that job is lost.

Every worker is a fresh interpreter: a forked copy of a threaded process may hang, and a spawned one would run
the caller's script once more, whatever that imports.
"""

from __future__ import annotations

import importlib
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Self, TypeVar

from mmvideo.errors import InputError

Job = TypeVar("Job")
Answer = TypeVar("Answer")

START_LIMIT = 60.0
"""Seconds a worker may take to start."""
END_LIMIT = 5.0
"""Seconds that an idle worker may take to leave of its own accord."""
PROGRAM = (
    "import sys; sys.path[:] = sys.argv[3:]; from mmvideo.workers import serve; "
    "serve(int(sys.argv[1]), sys.argv[2])"
)


@dataclass(frozen=True)
class NoAnswer:
    """Why a job has no answer, in one line.

    `killed`: its process died or ran out of time. Else the function raised, and `details` is the traceback.
    """

    reason: str
    killed: bool
    details: str = ""


def of_threads(count: int) -> dict[str, str]:
    """The environment of a process whose libraries compute on so many threads."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(count))


def check_workers(workers: int | None, flag: str = "--workers") -> None:
    """
    Raises:
        InputError: with so many nothing would ever be done.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{flag} is how many processes work at once: 1 or more; got {workers}.")


class Pool(Generic[Job, Answer]):
    """A context that runs `function` on jobs, each in one of some worker processes.

    Leaving it ends the workers, whatever they are at.

    Args:
        function: of a module, since other processes import it; so are the classes of jobs and answers.
        workers: processes at once, at most.
        time_limit: seconds a job may take.
        jobs_per_worker: after so many a worker is replaced; None: never.
        environment: variables that the processes are given beside those of this one.

    Raises:
        InputError: fewer than one worker.
    """

    def __init__(
        self,
        function: Callable[[Job], Answer],
        *,
        workers: int,
        time_limit: float = math.inf,
        jobs_per_worker: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        check_workers(workers, "workers")
        assert function.__module__ != "__main__", "a worker does not run the caller's script"
        self._function = f"{function.__module__}:{function.__qualname__}"
        self._most, self._time_limit, self._share = workers, time_limit, jobs_per_worker
        self._environment = {**os.environ, **(environment or {})}
        self._waiting: deque[Job] = deque()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def give(self, job: Job) -> None:
        """Put a job at the end of the queue."""
        self._waiting.append(job)

    @property
    def running(self) -> list[Job]:
        """The jobs that workers are at."""
        return [worker.job for worker in self._workers if worker.busy]

    @property
    def unfinished(self) -> int:
        """How many jobs have not ended."""
        return len(self._waiting) + len(self.running)

    def ended(self, timeout: float = math.inf) -> list[tuple[Job, Answer | NoAnswer]]:
        """Wait until jobs have ended, or for so many seconds; those that have, with what came of them.

        Raises:
            RuntimeError: workers do not start.
        """
        deadline = time.monotonic() + timeout
        ended: list[tuple[Job, Answer | NoAnswer]] = []
        self._hand_out()
        while not ended:
            for worker in self._due(deadline):
                had_job, job = worker.busy, worker.job
                outcome = worker.outcome(self._time_limit)
                if not worker.alive or worker.served == self._share:
                    self._workers.remove(worker)
                    worker.end()
                if had_job:
                    ended.append((job, outcome))
            self._hand_out()  # nobody is idle while the caller looks at what has ended
            if time.monotonic() >= deadline:
                break
        return ended

    def _hand_out(self) -> None:
        """Every idle worker gets a job; where jobs are left and there is room, workers are started."""
        for worker in [one for one in self._workers if one.idle]:
            if worker.process.poll() is not None:  # killed while it had nothing to do
                self._workers.remove(worker)
                worker.end()
            elif self._waiting:
                worker.give(self._waiting.popleft(), self._time_limit)
        starting = sum(not worker.ready for worker in self._workers)
        wanted = min(self._most - len(self._workers), len(self._waiting) - starting)
        self._workers += [_Worker(self._function, self._environment) for _ in range(wanted)]

    def _due(self, until: float) -> list[_Worker]:
        """Wait for the workers that have something to say, or have had their time."""
        active = {worker.connection: worker for worker in self._workers if not worker.idle}
        assert active or until < math.inf, "nobody is at anything"
        left = min([until, *(worker.deadline for worker in active.values())]) - time.monotonic()
        heard = wait(list(active), None if left == math.inf else max(0.0, left))
        now = time.monotonic()
        return [active[one] for one in heard] or [w for w in active.values() if w.deadline <= now]  # type: ignore[index]


def run_all(
    function: Callable[[Job], Answer], jobs: Iterable[Job], **settings: Any
) -> Iterator[tuple[Job, Answer | NoAnswer]]:
    """Run the jobs in a `Pool` with these settings; yield each with what came of it, as they end."""
    with Pool(function, **settings) as pool:
        for job in jobs:
            pool.give(job)
        while pool.unfinished:
            yield from pool.ended()


class _Worker:
    """One process, and the job it is at."""

    def __init__(self, function: str, environment: Mapping[str, str]) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            handle = theirs.fileno()
            command = [sys.executable, "-c", PROGRAM, str(handle), function, *sys.path]
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[handle], env=dict(environment)
            )
        self.alive, self.ready, self.busy = True, False, False
        self.job: Any = None
        self.served = 0
        self.deadline = time.monotonic() + START_LIMIT

    @property
    def idle(self) -> bool:
        return self.ready and not self.busy

    def give(self, job: object, time_limit: float) -> None:
        self.job, self.busy, self.deadline = job, True, time.monotonic() + time_limit
        with suppress(OSError):  # it has died; that is seen when its answer is read
            self.connection.send(job)

    def outcome(self, time_limit: float) -> Any:
        """What it says of its job, or what its end says; None if it has only started.

        Raises:
            RuntimeError: it did not start.
        """
        code = None
        try:
            if self.connection.poll():
                answer = self.connection.recv()
                self.served += self.busy
                self.ready, self.busy, self.job = True, False, None
                return answer
        except (EOFError, OSError):
            code = self.process.wait()
        self.alive = False
        if not self.ready:
            why = f"nothing heard for {START_LIMIT:g} s" if code is None else _cause(code)
            raise RuntimeError(f"A worker process ({sys.executable}) did not start: {why}")
        late = f"it took longer than {time_limit:g} s"
        return NoAnswer(late if code is None else f"its process died ({_cause(code)})", killed=True)

    def end(self) -> None:
        """Wait until the process is gone: one that has nothing to do leaves by itself, others are killed."""
        self.connection.close()
        if self.idle:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(END_LIMIT)
        self.process.kill()
        self.process.wait()


def _cause(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "killed, most often because memory ran out"
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def serve(handle: int, function: str) -> None:
    """A worker's life: say that it has started, then answer each job with its outcome, until nobody asks.

    Args:
        handle: file descriptor of its end of a `multiprocessing.Pipe`.
        function: as `module:name`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks is told, and ends the worker
    module, _, name = function.partition(":")
    work = getattr(importlib.import_module(module), name)
    with Connection(handle) as connection, suppress(EOFError, OSError):
        connection.send(None)
        while True:
            connection.send(_answer(work, connection.recv()))


def _answer(work: Callable[[Any], Any], job: object) -> object:
    try:
        return work(job)
    except Exception as error:
        return NoAnswer(f"{type(error).__name__}: {error}", killed=False, details=traceback.format_exc())
