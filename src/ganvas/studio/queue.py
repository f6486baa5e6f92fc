"""The jobs, in one SQLite file: what was accepted stays accepted, whatever is killed.

A row is written, with fsync, before anybody hears that its job was accepted. A job is taken by one statement that changes its
state from queued to running, so that it cannot be taken twice. Whoever runs it holds a lock on a file of its own
(RUNS/.studio/jobs/ID.lock): a job that is running with no lock held was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganvas.errors import UsageError
from ganvas.files import JsonObject
from ganvas.strict_json import dumps

QUEUED, RUNNING, PAUSED, DONE, FAILED, STOPPED = "queued", "running", "paused", "done", "failed", "stopped"
END_STATES = (DONE, FAILED, STOPPED)
RUN_MAKING_JOBS = ("train", "apply")  # kinds of jobs that make a run
MAX_ATTEMPTS = 3  # of a job whose process was killed from outside
MAX_OPEN_JOBS = 200  # jobs that are queued, running or paused
MAX_ENDED_JOBS = 500  # ended jobs; older ones are forgotten
TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, request TEXT NOT NULL, title TEXT NOT NULL, run TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL, position REAL NOT NULL, wanted TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL, started REAL, ended REAL, attempts INTEGER NOT NULL DEFAULT 0,
    exit_code INTEGER, message TEXT NOT NULL DEFAULT '', idempotency TEXT UNIQUE
);
CREATE TABLE IF NOT EXISTS marks (run TEXT PRIMARY KEY, archived INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '');
"""
COLUMNS = (
    "id, kind, request, title, run, state, position, wanted, created, started, ended, attempts, exit_code, message"
)


@dataclass(frozen=True)
class Job:
    """A row of the queue."""

    id: int
    kind: str
    request: JsonObject
    title: str
    run: str
    """Name of the run folder that it writes or reads; "" where there is none."""
    state: str
    position: float
    wanted: str
    """What a running job is asked to do: "pause", "stop" or ""."""
    created: float
    """Seconds since 1970, as `started` and `ended`."""
    started: float | None
    ended: float | None
    attempts: int
    exit_code: int | None
    message: str


class Queue:
    """The queue of one studio folder; any number of processes may open it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "jobs").mkdir(parents=True, exist_ok=True)
        self.path = folder / "queue.sqlite"
        self.changed = threading.Event()
        """Set whenever this process changed a job. Whoever waits for it clears it."""
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.executescript(TABLE)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection with autocommit; each statement that writes is on the disk when it returns."""
        database = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous=FULL")
            yield database
        finally:
            database.close()

    # --- reading --------------------------------------------------------------------------------------------------------

    def jobs(self) -> list[Job]:
        """All jobs: those that wait or run in their order, then the ended ones, the newest first."""
        with self._open() as database:
            rows = database.execute(f"SELECT {COLUMNS} FROM jobs").fetchall()
        jobs = [_job(row) for row in rows]
        active = [job for job in jobs if job.state not in END_STATES]
        ended = [job for job in jobs if job.state in END_STATES]
        active.sort(key=lambda job: (job.state != RUNNING, job.position))
        ended.sort(key=lambda job: -(job.ended or 0))
        return active + ended

    def job(self, number: int) -> Job | None:
        """One job; None where there is no such one."""
        with self._open() as database:
            row = database.execute(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (number,)).fetchone()
        return None if row is None else _job(row)

    def of_key(self, idempotency: str) -> Job | None:
        """The job that was accepted with this key."""
        with self._open() as database:
            row = database.execute(f"SELECT {COLUMNS} FROM jobs WHERE idempotency = ?", (idempotency,)).fetchone()
        return None if row is None else _job(row)

    def next_queued(self) -> Job | None:
        """The first job that waits."""
        with self._open() as database:
            row = database.execute(
                f"SELECT {COLUMNS} FROM jobs WHERE state = ? ORDER BY position, id LIMIT 1", (QUEUED,)
            ).fetchone()
        return None if row is None else _job(row)

    # --- writing --------------------------------------------------------------------------------------------------------

    def add(self, kind: str, request: JsonObject, title: str, run: str = "", idempotency: str | None = None) -> Job:
        """Accepts a job. The same `idempotency` key again gives the job that it gave before.

        UsageError where too many wait, or where one that has not ended writes the same run.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                number, forgotten = self._added(database, kind, request, title, run, idempotency)
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
        self.changed.set()
        for gone in forgotten:
            self.remove_files(gone)
        job = self.job(number)
        assert job is not None
        return job

    def _added(
        self, database: sqlite3.Connection, kind: str, request: JsonObject, title: str, run: str, idempotency: str | None
    ) -> tuple[int, list[int]]:  # fmt: skip
        """The job's number, and those of old ended jobs that are forgotten for it."""
        if idempotency is not None:
            row = database.execute("SELECT id FROM jobs WHERE idempotency = ?", (idempotency,)).fetchone()
            if row is not None:
                return int(row[0]), []
        waiting = database.execute(
            "SELECT COUNT(*) FROM jobs WHERE state IN (?, ?, ?)", (QUEUED, RUNNING, PAUSED)
        ).fetchone()[0]
        if waiting >= MAX_OPEN_JOBS:
            raise UsageError(f"{waiting} jobs wait already, which is the limit: stop some, or wait until they are done")
        if kind in RUN_MAKING_JOBS:
            taken = database.execute(
                "SELECT id FROM jobs WHERE run = ? AND kind IN (?, ?) AND state IN (?, ?, ?)",
                (run, *RUN_MAKING_JOBS, QUEUED, RUNNING, PAUSED),
            ).fetchone()
            if taken is not None:
                raise UsageError(f"job {taken[0]} trains into {run} already: choose another name for the run")
        last = database.execute("SELECT COALESCE(MAX(position), 0) FROM jobs").fetchone()[0]
        row = database.execute(
            "INSERT INTO jobs (kind, request, title, run, state, position, created, idempotency)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (kind, dumps(request), title, run, QUEUED, last + 1, time.time(), idempotency),
        ).fetchone()
        forgotten = database.execute(
            "DELETE FROM jobs WHERE state IN (?, ?, ?) AND id NOT IN"
            " (SELECT id FROM jobs WHERE state IN (?, ?, ?) ORDER BY ended DESC LIMIT ?) RETURNING id",
            (*END_STATES, *END_STATES, MAX_ENDED_JOBS),
        ).fetchall()
        return int(row[0]), [int(one[0]) for one in forgotten]

    def take(self, number: int) -> bool:
        """Changes a job from queued to running; False where it was not queued (any more)."""
        return self._changed(
            "UPDATE jobs SET state = ?, started = COALESCE(started, ?), ended = NULL, attempts = attempts + 1, wanted = '',"
            " message = '', exit_code = NULL WHERE id = ? AND state = ?",
            (RUNNING, time.time(), number, QUEUED),
        )  # fmt: skip

    def end(self, number: int, state: str, *, exit_code: int | None = None, message: str = "") -> bool:
        """Writes how a running job ended (or that it is paused)."""
        return self._changed(
            "UPDATE jobs SET state = ?, ended = ?, exit_code = ?, message = ?, wanted = '' WHERE id = ? AND state = ?",
            (state, time.time(), exit_code, message, number, RUNNING),
        )

    def put_back(self, number: int, message: str, *, counted: bool = True) -> bool:
        """Changes an interrupted job from running to queued, in its old place. `counted`: as one of its attempts."""
        return self._changed(
            "UPDATE jobs SET state = ?, message = ?, wanted = '', attempts = attempts - ? WHERE id = ? AND state = ?",
            (QUEUED, message, 0 if counted else 1, number, RUNNING),
        )

    def ask(self, number: int, wanted: str) -> bool:
        """Asks for "pause" or "stop": of a running job its runner sees it; one that waits changes at once."""
        state = PAUSED if wanted == "pause" else STOPPED
        waits = "state = ?" if wanted == "pause" else f"state IN (?, '{PAUSED}')"
        if self._changed(
            f"UPDATE jobs SET state = ?, ended = ? WHERE id = ? AND {waits}", (state, time.time(), number, QUEUED)
        ):
            return True
        return self._changed("UPDATE jobs SET wanted = ? WHERE id = ? AND state = ?", (wanted, number, RUNNING))

    def resume(self, number: int) -> bool:
        """Puts a paused, failed or stopped job into the queue again, at its end; it continues where it can."""
        return self._changed(
            "UPDATE jobs SET state = ?, attempts = 0, ended = NULL, message = '', exit_code = NULL,"
            " position = (SELECT COALESCE(MAX(position), 0) + 1 FROM jobs) WHERE id = ? AND state IN (?, ?, ?)",
            (QUEUED, number, PAUSED, FAILED, STOPPED),
        )

    def move(self, number: int, before: int | None) -> bool:
        """Moves a waiting job in front of another one that waits; None: to the end."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            order = [
                int(row[0])
                for row in database.execute(
                    "SELECT id FROM jobs WHERE state IN (?, ?) ORDER BY position, id", (QUEUED, PAUSED)
                )
            ]
            if number not in order or (before is not None and before not in order):
                database.execute("ROLLBACK")
                return False
            order.remove(number)
            order.insert(len(order) if before is None or before == number else order.index(before), number)
            for position, one in enumerate(order, 1):
                database.execute("UPDATE jobs SET position = ? WHERE id = ?", (position, one))
            database.execute("COMMIT")
        self.changed.set()
        return True

    def forget(self, number: int) -> bool:
        """Removes an ended job from the list, with its log and files; a run that it made stays."""
        removed = self._changed("DELETE FROM jobs WHERE id = ? AND state IN (?, ?, ?)", (number, *END_STATES))
        if removed:
            self.remove_files(number)
        return removed

    def _changed(self, statement: str, values: tuple[object, ...]) -> bool:
        with self._open() as database:
            changed = database.execute(statement, values).rowcount == 1
        if changed:
            self.changed.set()
        return changed

    # --- marks of runs --------------------------------------------------------------------------------------------------

    def marks(self) -> dict[str, tuple[bool, str]]:
        """Whether a run is archived, and its note, by name."""
        with self._open() as database:
            rows = database.execute("SELECT run, archived, note FROM marks").fetchall()
        return {run: (bool(archived), note) for run, archived, note in rows}

    def mark(self, run: str, *, archived: bool | None = None, note: str | None = None) -> None:
        """Changes them; None keeps."""
        old = self.marks().get(run, (False, ""))
        with self._open() as database:
            database.execute(
                "INSERT INTO marks (run, archived, note) VALUES (?, ?, ?)"
                " ON CONFLICT (run) DO UPDATE SET archived = excluded.archived, note = excluded.note",
                (run, old[0] if archived is None else archived, old[1] if note is None else note),
            )

    # --- files of a job -------------------------------------------------------------------------------------------------

    def file(self, number: int, suffix: str) -> Path:
        """jobs/ID.lock, .log (what it says), .out (its JSON result), .files (a folder of what it gives)."""
        return self.folder / "jobs" / f"{number}.{suffix}"

    def remove_files(self, number: int) -> None:
        """Deletes the files of a job that is forgotten."""
        for suffix in ("lock", "log", "out"):
            self.file(number, suffix).unlink(missing_ok=True)
        shutil.rmtree(self.file(number, "files"), ignore_errors=True)


def _job(row: tuple[object, ...]) -> Job:
    names = [name.strip() for name in COLUMNS.split(",")]
    values: JsonObject = dict(zip(names, row, strict=True))
    values["request"] = json.loads(values["request"])
    return Job(**values)
