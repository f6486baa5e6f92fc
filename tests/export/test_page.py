"""Pages, opened from disk in Chromium, with a listener for every request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import Browser
from ganvas.data import read_provenance
from ganvas.errors import GanvasError, RunError, UsageError
from ganvas.export import export_run, page
from ganvas.export.web_runtime import WebRuntime, web_runtime
from ganvas.run import Run
from ganvas.tasks import translate
from parts import images, train_small


@pytest.fixture(scope="session")
def runtime(_own_cache: None) -> WebRuntime:
    """onnxruntime-web itself, 33 MB of the npm registry; a page without it would not be the real one."""
    try:
        return web_runtime()
    except GanvasError as error:
        pytest.skip(f"onnxruntime-web cannot be fetched: {error}")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as found:
        yield found


def start(browser: Browser, file: Path) -> dict[str, Any]:
    """Opens the page; what it shows, and a PNG that it would save. It must not have asked for anything."""
    browser.open(f"{file.as_uri()}#check")
    state = browser.wait_for("document.body && document.body.dataset.state")
    assert state == "ready", browser.value("document.getElementById('message').textContent")
    assert browser.requests and not browser.outside(), browser.outside()
    return json.loads(browser.value("document.getElementById('check').textContent"))


def test_the_listener_hears_of_a_request(browser: Browser, tmp_path: Path) -> None:
    """Otherwise the test of the page could not fail."""
    place = tmp_path / "asks.html"
    place.write_text('<img src="http://127.0.0.1:9/x.png">')
    browser.open(place.as_uri())
    browser.wait_for("document.readyState == 'complete' && document.images.length")
    assert browser.outside() == ["http://127.0.0.1:9/x.png"]


def test_a_sampler_gives_the_images_of_the_run(
    browser: Browser, sampler: Run, runtime: WebRuntime, tmp_path: Path
) -> None:
    (file,) = export_run(sampler, "page", tmp_path / "page.html", licence="CC0-1.0 <b>")
    assert file.difference <= 1e-4 and file.size < 6 * 2**20
    check = start(browser, file.path)
    height, width = check["size"]
    pixels = np.array(check["pixels"], np.uint8).reshape(-1, height, width, 4)
    theirs = np.asarray(sampler.sample(len(pixels), seed=0))
    assert np.abs(pixels[..., :1].astype(int) - theirs).max() <= 1 and (pixels[..., 3] == 255).all()
    png = tmp_path / "saved.png"
    png.write_bytes(bytes(check["png"]))
    made = read_provenance(png)
    assert made is not None
    assert (made.command, made.seed, made.run, made.weights) == ("sample", 0, "cgan", sampler.weights_hash())
    for change in (
        "(find) => { const box = find('#controls input[type=number]'); box.value = 500; return box; }",
        "(find) => { const box = find('#controls input[type=range]'); box.value = 0.3; return box; }",
    ):
        before = browser.value("document.getElementById('large').toDataURL()")
        browser.value(f"(({change})((one) => document.querySelector(one))).dispatchEvent(new Event('input')) && null")
        browser.wait_for(f"document.getElementById('large').toDataURL() !== {json.dumps(before)}")
    assert browser.value("document.getElementById('seed-of').textContent") == "seed 500"
    assert browser.value("[...document.querySelectorAll('.choice button')].length") == 1 + len(sampler.spec.classes)
    assert browser.value("document.body.dataset.state") == "ready" and not browser.outside()
    text = file.path.read_text()
    assert "CC0-1.0 &lt;b&gt;" in text
    assert str(sampler.folder) not in text and "site-packages" not in text


def test_a_translator_translates_what_it_shows(browser: Browser, runtime: WebRuntime, tmp_path: Path) -> None:
    run = train_small("pix2pix", tmp_path / "pix2pix", 2, images((3, 32, 32)))
    (file,) = export_run(run, "page", tmp_path / "page.html")
    check = start(browser, file.path)
    height, width = check["size"]
    pixels = np.array(check["pixels"], np.uint8).reshape(1, height, width, 4)
    scene = tmp_path / "scene.png"
    scene.write_bytes(page._example(32, 32, 3))
    theirs = np.asarray(translate(run.method, scene).to_array())
    assert np.abs(pixels[0, ..., :3].astype(int) - theirs).max() <= 1


def test_what_a_page_refuses(
    sampler: Run, runtime: WebRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="omit them"):
        export_run(sampler, "page", tmp_path / "page.html", part="sample")
    coder = train_small("vq_vae", tmp_path / "vq_vae", 2)
    with pytest.raises(RunError, match="a page has nothing to show"):
        export_run(coder, "page", tmp_path / "page.html")
    monkeypatch.setattr(page, "MAX_PAGE_FILE_BYTES", 1000)
    with pytest.raises(GanvasError, match="export with --precision fp16"):
        export_run(sampler, "page", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
