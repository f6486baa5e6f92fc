"""Which job runs next. A thread of the server; every decision is in the queue, so that another server continues from there.

It waits until this process changes the queue or until the runner that it started ends, rather than to read the queue again and
again.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from ganvas.studio.locks import FileLock
from ganvas.studio.queue import FAILED, MAX_ATTEMPTS, PAUSED, RUNNING, STOPPED, Job, Queue

IDLE_POLL_SECONDS = 5.0  # seconds after which the queue is read although nobody said that it changed
RUNNER_POLL_SECONDS = 0.2  # seconds between two looks at a runner whose end nobody tells: another server started it


class Dispatcher:
    """Starts the first waiting job whenever none runs, and puts interrupted ones back."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.runner: subprocess.Popen[bytes] | None = None
        self._tried, self._failures = 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Starts no further job; the running one is paused, to continue when a studio is started again."""
        self._stop.set()
        self.queue.changed.set()
        self._thread.join(timeout=10)
        paused: set[int] = set()
        while self.runner is not None and self.runner.poll() is None:
            for job in self.queue.jobs():
                if job.state == RUNNING and not job.wanted:
                    self.queue.ask(job.id, "pause")
                    paused.add(job.id)
            time.sleep(RUNNER_POLL_SECONDS)
        for number in paused:
            now = self.queue.job(number)
            if now is not None and now.state == PAUSED:
                self.queue.resume(number)
                self.queue.move(number, self._first(number))

    def _first(self, other: int) -> int | None:
        job = self.queue.next_queued()
        return None if job is None or job.id == other else job.id

    def _loop(self) -> None:
        while not self._stop.is_set():
            self.queue.changed.clear()
            told = self.step()
            self.queue.changed.wait(IDLE_POLL_SECONDS if told else RUNNER_POLL_SECONDS)

    def step(self) -> bool:
        """One look at the queue. False where the next change will not set `queue.changed`: a runner is not our own child."""
        for job in self.queue.jobs():
            if job.state == RUNNING:
                self._look_after(job)
        if self.runner is not None and self.runner.poll() is None:
            return True
        if any(job.state == RUNNING for job in self.queue.jobs()):
            return False
        job = self.queue.next_queued()
        if job is not None and not self._gave_up(job):
            # A session of its own: neither Ctrl-C in the terminal nor the server's end reaches it.
            self.runner = subprocess.Popen(
                [sys.executable, "-m", "ganvas.studio.runner", str(self.queue.folder), str(job.id)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            threading.Thread(target=self._tell_end, args=(self.runner,), name="runner", daemon=True).start()
        return True

    def _tell_end(self, runner: subprocess.Popen[bytes]) -> None:
        """Wakes the dispatcher when a runner has ended."""
        runner.wait()
        self.queue.changed.set()

    def _gave_up(self, job: Job) -> bool:
        """Whether a job's process ended several times before it took the job, so that another try would be no better."""
        code = None if self.runner is None else self.runner.poll()
        if job.id != self._tried or code in (None, 0):
            self._tried, self._failures = job.id, 0
            return False
        self._failures += 1
        if self._failures < MAX_ATTEMPTS:
            return False
        self._failures = 0
        if self.queue.take(job.id):
            self.queue.end(job.id, FAILED, message=f"its process could not be started (exit code {code})")
        return True

    def _look_after(self, job: Job) -> None:
        """Puts a job back that says it runs and of which no process is left."""
        lock = FileLock(self.queue.file(job.id, "lock"))
        if not lock.take():
            return
        try:
            # With the lock in hand nobody can take the job; and who held it may have written its end just before.
            now = self.queue.job(job.id)
            if now is None or now.state != RUNNING:
                return
            if now.wanted:
                self.queue.end(job.id, PAUSED if now.wanted == "pause" else STOPPED)
            elif now.attempts >= MAX_ATTEMPTS:
                self.queue.end(job.id, FAILED, message=f"its process was killed {now.attempts} times: see its log")
            else:
                self.queue.put_back(job.id, "its process was killed; it continues from what was saved")
        finally:
            lock.free()
