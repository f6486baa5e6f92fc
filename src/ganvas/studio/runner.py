"""One job in a process of its own: `python -m ganvas.studio.runner STUDIO_FOLDER JOB`.

It takes the job, runs its command line as a child, passes on what the page asks for (pause, stop), and writes how it ended. It
needs no server: a job goes on, and its end is written, where the server was killed meanwhile. Where this process itself is
killed, Linux sends SIGTERM to the child, which saves; the lock is free as soon as both are gone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

from ganvas.errors import GanvasError
from ganvas.studio import jobs
from ganvas.studio.locks import FileLock
from ganvas.studio.oom import first_to_be_killed
from ganvas.studio.queue import DONE, FAILED, PAUSED, STOPPED, Job, Queue

REQUEST_POLL_SECONDS = 0.2  # seconds between two looks at what the page asks for
STOP_TIMEOUT = 120.0  # seconds that a command has to save and end after SIGINT, before SIGKILL
MAX_LOG_BYTES = 16 * 2**20  # bytes that are kept of what a command says
ERROR_TAIL_BYTES = 4000  # bytes at the end of the log in which the error is looked for
PR_SET_PDEATHSIG = 1


def main() -> None:
    """Runs one job and exits with 0, whatever became of it; 3 where it was not there to be taken."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    queue = Queue(folder)
    lock = FileLock(queue.file(number, "lock"))
    if not lock.take() or not queue.take(number):
        sys.exit(3)
    job = queue.job(number)
    assert job is not None and lock.handle is not None
    try:
        words = jobs.command_line(job, folder, queue.file(number, "files"))
    except GanvasError as error:
        queue.end(number, FAILED, exit_code=error.exit_code, message=str(error))
        return
    code = run(queue, job, words, lock.handle)
    jobs.pack(queue.file(number, "files"))
    state, message = outcome(queue, number, code)
    queue.end(number, state, exit_code=code, message=message)


def run(queue: Queue, job: Job, words: list[str], lock: int) -> int:
    """Runs the command and returns its exit code, below 0 for a signal."""
    for name in ("log", "out"):
        _shorten(queue.file(job.id, name))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    with open(queue.file(job.id, "log"), "ab") as log, open(queue.file(job.id, "out"), "wb") as out:
        child = _start(words, log, out, lock, environment, queue.folder)
        asked_at: float | None = None
        while child.poll() is None:
            time.sleep(REQUEST_POLL_SECONDS)
            now = queue.job(job.id)
            wanted = now.wanted if now is not None else "stop"
            if wanted and asked_at is None:
                child.send_signal(signal.SIGINT)
                asked_at = time.monotonic()
            if asked_at is not None and time.monotonic() - asked_at > STOP_TIMEOUT:
                child.kill()
        return child.wait()


def _start(
    words: list[str], log: BinaryIO, out: BinaryIO, lock: int, environment: dict[str, str], folder: Path
) -> subprocess.Popen[bytes]:  # fmt: skip
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        first_to_be_killed()

    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment, cwd=folder, pass_fds=(lock,),
        preexec_fn=prepare,
    )  # fmt: skip


def outcome(queue: Queue, number: int, code: int) -> tuple[str, str]:
    """The state that follows from an exit code and from what was asked for, and a sentence for the page."""
    now = queue.job(number)
    wanted = now.wanted if now is not None else "stop"
    if code == 0:
        return DONE, ""
    if wanted:
        return (PAUSED if wanted == "pause" else STOPPED), ""
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return FAILED, (
            "the process was killed from outside, mostly because memory ran out: choose a smaller batch_size or data.size, or"
            " close other programs, then resume"
        )
    return FAILED, error_in(queue.file(number, "log")) or f"the command ended with exit code {code}: see its log"


def error_in(log: Path) -> str:
    """The last error that a command wrote, without its "error: "."""
    if not log.is_file():
        return ""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - ERROR_TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        if line.startswith("error"):
            return line.partition(": ")[2]
    return next((line for line in reversed(lines) if line.strip()), "")


def _shorten(path: Path) -> None:
    """A log that grew over many attempts starts anew."""
    if path.is_file() and path.stat().st_size > MAX_LOG_BYTES:
        path.unlink()


if __name__ == "__main__":
    main()
