"""The model process: samples, points, photos; quick where it must be, and replaced where it dies."""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import signal
import socket
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganvas
from ganvas import tasks
from ganvas.data.image import png_bytes
from ganvas.data.metadata import read_provenance
from ganvas.studio.oom import OOM_SCORE_ADJ
from parts import train_small
from studio_server import Answer, StudioProcess, wait


def pixels(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def result(answer: Answer) -> dict[str, Any]:
    """The last line of a long operation."""
    assert answer.status == 200, answer.body
    last = json.loads(answer.body.splitlines()[-1])
    assert "result" in last, last
    return last["result"]


def render(studio: StudioProcess, *points: dict[str, Any]) -> list[str]:
    answer = studio.ask("POST", "/api/runs/first/render", {"points": points})
    assert answer.status == 200, answer.body
    return [item["png"] for item in answer.json["items"]]


def test_what_a_model_can_do(studio: StudioProcess) -> None:
    facts = studio.ask("GET", "/api/runs/first/model").json
    assert facts["samples"] and facts["edits"] and facts["method"] == "gan" and facts["restores"] is None


def test_samples_are_those_of_the_library(studio: StudioProcess) -> None:
    items = result(studio.ask("POST", "/api/runs/first/wall", {"seed": 3, "n": 5}))["items"]
    assert [item["seed"] for item in items] == [3, 4, 5, 6, 7]
    expected = ganvas.load(studio.runs / "first").sample(5, seed=3)
    for item, image in zip(items, expected, strict=True):
        assert (pixels(item["png"]) == image.squeeze()).all()


def test_points(studio: StudioProcess, tmp_path: Path) -> None:
    seed, half, sum_, same, mean = render(
        studio,
        {"seed": 1},
        {"between": [{"seed": 1}, {"seed": 2}], "share": 0.5},
        {
            "sum": [
                {"weight": 1, "of": {"seed": 1}},
                {"weight": -1, "of": {"seed": 2}},
                {"weight": 1, "of": {"seed": 2}},
            ]
        },
        {"between": [{"seed": 1}, {"seed": 2}], "share": 0},
        {"seed": 1, "truncation": 0.3},
    )
    assert (pixels(seed) == pixels(same)).all() and (abs(pixels(seed).astype(int) - pixels(sum_)) <= 1).all()
    assert (pixels(seed) != pixels(half)).any() and (pixels(seed) != pixels(mean)).any()
    # The file says how it was made, so that it leads back.
    (tmp_path / "x.png").write_bytes(base64.b64decode(half))
    made = read_provenance(tmp_path / "x.png")
    assert made is not None and json.loads(str(made.options["point"]))["between"] == [{"seed": 1}, {"seed": 2}]
    assert made.run == "first" and "point" not in made.command_line()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([{}], "a point is one of seed"),
        ([{"seed": 1, "image": "0123456789abcdef"}], "a point is one of seed"),
        ([{"image": "0123456789abcdef"}], "not here"),
        ([{"seed": 1, "label": "5"}], "without classes"),
        ([{"seed": 1, "codes": {"c": 1}}], "no code c"),
        ([{"seed": 1, "moves": {"nothing": 1}}], "there is no direction nothing"),
        ([{"sum": [{"weight": 1, "of": {"seed": 1}}, {"weight": 1, "of": {"seed": 2}}]}], "must sum to 1"),
        ([], "1 to 100 entries"),
        ([{"seed": -1}], "seed must be from 0"),
    ],
)
def test_points_that_cannot_be(studio: StudioProcess, points: list[Any], message: str) -> None:
    answer = studio.ask("POST", "/api/runs/first/render", {"points": points})
    assert 400 <= answer.status < 500 and message in answer.error, answer.body


def test_a_slider_answers_quickly(studio: StudioProcess) -> None:
    """Below 150 ms on two free cores (benchmarks/studio.py); tests run beside others, so that only what is far off fails."""
    render(studio, {"seed": 0})
    times = []
    for number in range(12):
        began = time.perf_counter()
        render(studio, {"between": [{"seed": 1}, {"seed": 2}], "share": number / 12})
        times.append(time.perf_counter() - began)
    assert min(times) < 0.6


def test_a_photo_is_found_and_edited(studio: StudioProcess) -> None:
    target = pixels(render(studio, {"seed": 5})[0])
    image = studio.put_file(
        "/api/images", png_bytes(target[..., None] if target.ndim == 2 else target), "five.png"
    ).json["id"]
    answer = studio.ask("POST", "/api/runs/first/invert", {"image": image, "steps": 20})
    found = result(answer)
    assert found["psnr"] > 15 and b'"progress"' in answer.body
    shown = pixels(render(studio, {"image": image})[0])
    assert (abs(shown.astype(int) - pixels(found["png"])) <= 1).all()


def test_refusals_of_other_abilities(studio: StudioProcess) -> None:
    image = studio.put_file("/api/images", png_bytes(np.zeros((8, 8, 3), np.uint8)), "x.png").json["id"]
    for op, message in (("restore", "does not restore"), ("translate", "does not translate")):
        answer = studio.ask("POST", f"/api/runs/first/{op}", {"image": image})
        assert message in json.loads(answer.body.splitlines()[-1])["error"]
    answer = studio.ask("POST", "/api/stylise", {"image": image})
    assert "drop at least one style" in answer.body.decode()
    answer = studio.ask("GET", "/api/runs/first/doctor")
    assert answer.status == 200 and answer.json["healthy"] is None and answer.json["note"]


def test_a_text_is_translated_as_by_the_library(studio: StudioProcess) -> None:
    run = train_small("seq2seq", studio.runs / "texts", 2)
    facts = studio.ask("GET", "/api/runs/texts/model").json
    assert facts["texts"] and facts["translates"] == ["ab"] and facts["sampling"][0]["name"] == "beam"
    text = "the cat sat 1\n\na mat"
    answer = studio.ask("POST", "/api/runs/texts/translate-text", {"text": text, "settings": {"beam": 1}})
    expected = tasks.translate(run.load_method(settings={"beam": 1}), text)
    assert result(answer)["text"] == expected and expected.count("\n") == 2
    for path, content, message in (
        ("texts", {"text": "\u2603"}, "\u2603"),
        ("texts", {"text": "a mat", "direction": "ba"}, "direction ba"),
        ("first", {"text": "a mat"}, "does not translate"),
    ):
        answer = studio.ask("POST", f"/api/runs/{path}/translate-text", content)
        assert message in json.loads(answer.body.splitlines()[-1])["error"]


def test_a_model_of_one_style_is_given_none(studio: StudioProcess) -> None:
    """The page asks for a style by these facts: a fast_style knows its own, and any other is refused."""
    train_small("fast_style", studio.runs / "painted", 2)
    train_small("adain", studio.runs / "any", 2)
    facts = [studio.ask("GET", f"/api/runs/{run}/model").json["stylises"] for run in ("painted", "any")]
    assert facts == [{"takes_style": False, "mixes": False}, {"takes_style": True, "mixes": True}]
    random = np.random.default_rng(0)
    images = []
    for name in ("photo.png", "style.png"):
        content = png_bytes(random.integers(0, 255, (32, 32, 3), np.uint8))
        images.append(studio.put_file("/api/images", content, name).json["id"])
    photo, style = images
    made = result(studio.ask("POST", "/api/stylise", {"run": "painted", "image": photo, "styles": []}))["items"][0]
    assert (made["height"], made["width"]) == (32, 32)
    answer = studio.ask("POST", "/api/stylise", {"run": "painted", "image": photo, "styles": [style]})
    assert "omit the style" in answer.body.decode()
    mixture = {"run": "any", "image": photo, "styles": [style, photo, style], "shares": [0.5, 1, 0.25]}
    assert result(studio.ask("POST", "/api/stylise", mixture))["items"][0]["made_by"].count("--style ") == 3


def test_a_model_is_made_ready_to_share(studio: StudioProcess) -> None:
    made = result(studio.ask("POST", "/api/runs/first/share", {"licence": "cc-by-4.0"}))
    answer = studio.ask("GET", f"/api/shares/{made['id']}")
    assert "attachment" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as files:
        assert {"config.json", "model.safetensors", "README.md", "manifest.json"} <= set(files.namelist())
        for name in files.namelist():
            assert str(studio.runs.parent).encode() not in files.read(name), name
        assert files.read("README.md").decode() == made["card"] and "cc-by-4.0" in made["card"]
    assert studio.ask("GET", "/api/shares/0123456789abcdef").status == 404


def worker_of(studio: StudioProcess) -> int:
    """The process of a studio's models."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"ganvas.studio.worker" in words and str(studio.runs / ".studio").encode() in words:
                return int(entry.name)
    raise AssertionError("it does not run")


def test_the_model_process_dies_alone(studio: StudioProcess) -> None:
    before = render(studio, {"seed": 1})
    first = worker_of(studio)
    os.kill(first, signal.SIGKILL)
    wait(lambda: not Path(f"/proc/{first}/exe").exists(), 10)
    assert studio.ask("GET", "/api/status").status == 200
    assert render(studio, {"seed": 1}) == before and worker_of(studio) != first


def test_memory_that_runs_out_is_told_and_takes_nobody_along(studio: StudioProcess) -> None:
    """The model process is the kernel's first choice; where an allocation fails it says so, and answers again afterwards."""
    before = render(studio, {"seed": 1})
    worker = worker_of(studio)
    assert Path(f"/proc/{worker}/oom_score_adj").read_text().strip() == OOM_SCORE_ADJ
    limits = resource.prlimit(worker, resource.RLIMIT_AS)
    in_use = int(Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(worker, resource.RLIMIT_AS, (in_use, limits[1]))
    points = [{"between": [{"seed": 1}, {"seed": number}]} for number in range(100)]
    answer = studio.ask("POST", "/api/runs/first/render", {"points": points})
    resource.prlimit(worker, resource.RLIMIT_AS, limits)
    assert answer.status == 503 and "memory ran out" in answer.error
    assert studio.ask("GET", "/api/status").status == 200
    assert render(studio, {"seed": 1}) == before and worker_of(studio) == worker


def test_a_closed_page_cancels(studio: StudioProcess) -> None:
    """The operation ends at its next step, and the next request is answered long before it would have been done."""
    image = studio.put_file("/api/images", png_bytes(np.zeros((28, 28, 1), np.uint8)), "x.png").json["id"]
    body = json.dumps({"image": image, "steps": 2000}).encode()
    head = (
        f"POST /api/runs/first/invert HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nContent-Type: application/json\r\n"
    )
    with socket.create_connection(("127.0.0.1", studio.port), 60) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b'"progress"' not in received:
            received += connection.recv(65536)
    began = time.monotonic()
    render(studio, {"seed": 1})
    assert time.monotonic() - began < 20
