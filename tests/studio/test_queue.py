"""The queue keeps what it accepted, in its order, and gives each job away once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from ganvas.errors import UsageError
from ganvas.studio import queue as queues
from ganvas.studio.dispatcher import Dispatcher
from ganvas.studio.queue import DONE, FAILED, MAX_ATTEMPTS, PAUSED, QUEUED, RUNNING, STOPPED, Queue
from studio_server import wait


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path / "studio")


def add(queue: Queue, name: str) -> int:
    return queue.add("train", {"name": name}, f"Train {name}", name).id


def test_what_was_accepted_is_on_the_disk(queue: Queue) -> None:
    first = add(queue, "a")
    with sqlite3.connect(queue.path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    again = Queue(queue.folder)
    job = again.job(first)
    assert job is not None and (job.state, job.request, job.run) == (QUEUED, {"name": "a"}, "a")
    with again._open() as database:
        assert database.execute("PRAGMA synchronous").fetchone()[0] == 2, "FULL: fsync before an acceptance is answered"


def test_a_job_is_taken_once_however_many_ask(queue: Queue) -> None:
    numbers = [add(queue, str(number)) for number in range(5)]
    taken: list[int] = []

    def take_all() -> None:
        own = Queue(queue.folder)
        taken.extend(number for number in numbers if own.take(number))

    threads = [threading.Thread(target=take_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == numbers


def test_the_same_key_gives_the_same_job(queue: Queue) -> None:
    first = queue.add("train", {}, "t", "a", "key-12345678")
    assert queue.add("train", {}, "t", "a", "key-12345678") == first
    assert len(queue.jobs()) == 1


def test_two_trainings_never_write_one_run(queue: Queue) -> None:
    number = add(queue, "a")
    with pytest.raises(UsageError, match=f"job {number} trains into a already"):
        add(queue, "a")
    queue.take(number)
    queue.end(number, DONE, exit_code=0)
    add(queue, "a")


def test_a_job_that_cannot_be_started_is_given_up(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its process ends before it takes the job, there is no endless loop."""
    number = add(queue, "a")
    dispatcher = Dispatcher(queue)
    monkeypatch.setattr("ganvas.studio.dispatcher.sys.executable", "/bin/false")
    for _ in range(MAX_ATTEMPTS + 1):
        dispatcher.step()
        assert dispatcher.runner is not None
        dispatcher.runner.wait()
    job = queue.job(number)
    assert job is not None and job.state == FAILED and "could not be started" in job.message


def test_whoever_waits_for_the_queue_is_told_of_every_change(queue: Queue) -> None:
    """Otherwise a job would wait until the dispatcher looks again by itself."""
    number, other = add(queue, "a"), add(queue, "b")
    changes = (
        lambda: add(queue, "c"), lambda: queue.move(other, number), lambda: queue.take(number), lambda: queue.ask(number, "stop"),
        lambda: queue.end(number, STOPPED), lambda: queue.resume(number), lambda: queue.ask(number, "stop"),
        lambda: queue.forget(number),
    )  # fmt: skip
    for change in changes:
        queue.changed.clear()
        assert change() and queue.changed.is_set()
    queue.changed.clear()
    queue.jobs()
    assert not queue.take(number) and not queue.changed.is_set(), "nothing was changed"


def test_the_dispatcher_hears_of_jobs_and_of_the_end_of_a_runner(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hours between two looks of its own, three tries follow each other at once."""
    monkeypatch.setattr("ganvas.studio.dispatcher.sys.executable", "/bin/false")
    monkeypatch.setattr("ganvas.studio.dispatcher.IDLE_POLL_SECONDS", 3600.0)
    dispatcher = Dispatcher(queue)
    dispatcher.start()
    number = add(queue, "a")

    def given_up() -> bool:
        job = queue.job(number)
        return job is not None and job.state == FAILED

    wait(given_up, 20)
    dispatcher.close()


def test_order(queue: Queue) -> None:
    a, b, c = (add(queue, name) for name in "abc")
    assert queue.move(c, a) and [job.id for job in queue.jobs()] == [c, a, b]
    assert queue.move(c, None) and [job.id for job in queue.jobs()] == [a, b, c]
    assert not queue.move(99, a) and not queue.move(a, 99)
    first = queue.next_queued()
    assert first is not None and first.id == a
    queue.take(a)
    assert not queue.move(a, c), "a running job has no place in the order"


def test_pause_resume_and_stop(queue: Queue) -> None:
    a, b = add(queue, "a"), add(queue, "b")
    queue.take(a)
    assert queue.ask(a, "pause")
    job = queue.job(a)
    assert job is not None and (job.state, job.wanted) == (RUNNING, "pause"), "its runner does the rest"
    queue.end(a, PAUSED, exit_code=130)
    assert queue.resume(a) and [job.id for job in queue.jobs()] == [b, a]
    assert queue.ask(b, "pause") and queue.ask(b, "stop")
    assert {job.id: job.state for job in queue.jobs()} == {a: QUEUED, b: STOPPED}
    assert not queue.ask(b, "pause"), "it has ended"
    assert queue.forget(b) and not queue.forget(a)


def test_an_ended_job_never_runs_again_by_itself(queue: Queue) -> None:
    number = add(queue, "a")
    queue.take(number)
    queue.end(number, FAILED, exit_code=1, message="why")
    assert not queue.take(number) and not queue.put_back(number, "") and not queue.end(number, DONE)
    job = queue.job(number)
    assert job is not None and (job.state, job.message) == (FAILED, "why")


def test_bounds(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MAX_OPEN_JOBS", 2)
    monkeypatch.setattr(queues, "MAX_ENDED_JOBS", 1)
    for name in "ab":
        number = add(queue, name)
        queue.take(number)
        queue.end(number, DONE)
    add(queue, "c")
    assert [job.run for job in queue.jobs()] == ["c", "b"], "older ended jobs are forgotten"
    add(queue, "d")
    with pytest.raises(UsageError, match="2 jobs wait already"):
        add(queue, "e")


def test_marks(queue: Queue) -> None:
    queue.mark("a", note="best so far")
    queue.mark("a", archived=True)
    assert queue.marks() == {"a": (True, "best so far")}
