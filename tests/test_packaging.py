"""What leaves the repository: the wheel, the page on PyPI, the container, the workflows that test and publish."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40}|release/v\d+)")


def workflow(name: str) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_job_is_pinned_and_may_little(path: Path) -> None:
    content = workflow(path.stem)
    assert content["permissions"] == {"contents": "read"}
    assert content[True], "when it runs (`on` is a boolean in YAML)"
    for name, job in content["jobs"].items():
        assert job["timeout-minutes"] <= 60 and job["runs-on"], name
        assert set(job.get("permissions", {"contents": ""})) <= {"contents", "id-token"}
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            assert "uses" not in step or PINNED.fullmatch(step["uses"]), step
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_three_systems_and_every_python_that_is_promised() -> None:
    matrix = workflow("tests")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    promised = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert matrix["python"] == promised and f">={promised[0]}" == PROJECT["requires-python"]


def test_only_the_job_that_publishes_may_speak_for_the_project() -> None:
    """Trusted publishing: PyPI trusts the workflow's identity; no secret is read anywhere."""
    jobs = workflow("publish")["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})] == ["pypi"]
    assert jobs["pypi"]["needs"] == "build" and jobs["pypi"]["environment"]["name"] == "pypi"
    assert not any("secrets." in path.read_text(encoding="utf-8") for path in WORKFLOWS)


def test_links_of_the_readme_work_on_pypi_too() -> None:
    """PyPI shows the file alone: a link must name its place in full, and that file must be here."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", readme)
    assert len(links) > 5
    at_home = re.compile(
        r"https://(?:github\.com/ganvas/ganvas/(?:blob|tree)|raw\.githubusercontent\.com/ganvas/ganvas)/main/(.+)"
    )
    for link in links:
        assert re.match("https://|#", link), f"{link} is broken on PyPI"
        ours = at_home.fullmatch(link.partition("#")[0])
        assert ours is None or (ROOT / ours[1]).exists(), link


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments), continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_the_container_is_built_of_what_is_here() -> None:
    known = {"ARG", "FROM", "ENV", "RUN", "COPY", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    steps = dockerfile()
    assert {name for name, _ in steps} <= known
    for name, arguments in steps:
        if name == "COPY":
            *sources, place = arguments.split()
            assert all((ROOT / source).exists() for source in sources) and place.startswith("/")
    names = [name for name, _ in steps]
    assert names.index("FROM") < names.index("RUN") and ("USER", "user") in steps
    assert ("ARG", "TORCH=cpu") in steps, "CUDA is chosen by --build-arg TORCH=cu128"


def test_each_run_step_of_the_container_is_shell() -> None:
    for name, arguments in dockerfile():
        if name == "RUN":
            subprocess.run(["sh", "-n", "-c", arguments], check=True)


def test_extras_are_there_for_each_logger() -> None:
    from ganvas.training.config import LOGGERS

    assert set(LOGGERS) <= set(PROJECT["optional-dependencies"])
