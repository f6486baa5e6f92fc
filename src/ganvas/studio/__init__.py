"""The studio: everything in a browser page, on this machine. `ganvas studio` starts it.

It stands on top: nothing imports it but the command that starts it. It trains nothing by itself: each job is a subprocess of the
command line, and what a page shows is read from the run folders and from one SQLite file, RUNS/.studio/queue.sqlite.

server.py      the web server: security.py around routes.py, one api_*.py a topic
jobs.py        what can be asked for, and the command lines that do it
queue.py       the jobs in SQLite;  runner.py: one job, in a process of its own;  dispatcher.py: which job is next
worker.py      a process that keeps models in memory and answers in milliseconds;  models.py: the server's side of it
decode.py      uploads, each in a process of its own with limits;  decoders.py: the server's side of it
processes.py   commands that answer a request; oom.py: which process goes where memory runs out
runs.py        run folders, read without torch
store.py       images and data sets that were dropped on the page
static/        the page: plain ES modules, no build step
"""

from __future__ import annotations

from ganvas.studio.config import StudioConfig

__all__ = ["StudioConfig"]
