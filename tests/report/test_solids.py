"""The page of a run of volumes: the newest samples as surfaces that can be turned."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import Browser
from ganvas.data.surface import Mesh, enclosed_volume, is_closed
from ganvas.data.turntable import rendered
from ganvas.report import solids, write_report
from ganvas.report.solids import CANVAS_SIDE, SHOWN_SOLIDS, packed_surface, turn
from parts import train_small

CANVAS = "document.querySelectorAll('.solids canvas')[0]"
LOOK = f"{CANVAS}.toDataURL()"
PIXELS = f"[...{CANVAS}.getContext('2d').getImageData(0, 0, {CANVAS_SIDE}, {CANVAS_SIDE}).data]"


def bars(side: int = 16, count: int = 1) -> np.ndarray:
    """An L of two bars, lopsided along each axis."""
    volumes = np.zeros((count, side, side, side), np.uint8)
    volumes[:, 3 : side - 2, 4:8, 4:7] = 255
    volumes[:, 3:6, 4:8, 4 : side - 1] = 255
    return volumes


def unpacked(surface: dict[str, Any], longest: int) -> Mesh:
    """What solids.js makes of it, in voxels from the middle of the grid."""
    vertices = np.frombuffer(base64.b64decode(surface["vertices"]), "<u2").reshape(-1, 3)
    faces = np.frombuffer(base64.b64decode(surface["faces"]), "<u4").reshape(-1, 3)
    return Mesh((vertices / 65535 * 2 - 1) * surface["side"] * longest / 2, faces.astype(np.int64))


def test_a_surface_is_the_same_after_packing() -> None:
    volume = bars()[0]
    volume[0, 0, 0] = 255  # another piece, which is left out
    mesh = unpacked(packed_surface(volume), 16)
    assert is_closed(mesh)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert np.allclose(low, [3.5 - 7.5, 3.5 - 7.5, 2.5 - 7.5], atol=0.01)
    assert np.allclose(high, [14.5 - 7.5, 7.5 - 7.5, 13.5 - 7.5], atol=0.01)
    assert enclosed_volume(mesh) == pytest.approx((volume > 0).sum() - 1, rel=0.1)
    large = np.repeat(np.repeat(np.repeat(volume, 8, 0), 8, 1), 8, 2)
    reduced = unpacked(packed_surface(large), 16)
    assert np.allclose(reduced.vertices.min(0), low, atol=0.2) and len(reduced.faces) < 40 * len(mesh.faces)


def test_what_is_no_volume_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert turn(tmp_path) == ""
    np.savez(tmp_path / "00000001.npz", volumes=bars(count=SHOWN_SOLIDS + 3))
    page = turn(tmp_path)
    assert page.count("<canvas") == SHOWN_SOLIDS and "step 1" in page and "hidden" in page
    size = len(re.findall('data-faces="([^"]*)"', page)[0]) + len(re.findall('data-vertices="([^"]*)"', page)[0])
    monkeypatch.setattr(solids, "MAX_SOLID_BYTES", 3 * size)
    assert turn(tmp_path).count("<canvas") == 3
    np.savez(tmp_path / "00000002.npz", volumes=bars()[0])
    assert turn(tmp_path) == "", "one volume without its first axis"
    (tmp_path / "00000003.npz").write_bytes(b"PK")
    assert turn(tmp_path) == "", "a damaged file does not stop a report"
    np.savez(tmp_path / "00000004.npz", volumes=np.zeros((2, 8, 8, 8), np.uint8))
    assert turn(tmp_path).count("<canvas") == 2, "nothing to see, and no error"


def test_volumes_are_turned_on_the_page(tmp_path: Path) -> None:
    """As the renderer shows them, without a request; the arrow keys and the pointer turn them, Home turns them back."""
    run = train_small("vae3d", tmp_path / "run", 1)
    newest = sorted((tmp_path / "run" / "samples").glob("*.npz"))[-1]
    assert np.load(newest)["volumes"].shape[1:] == (16, 16, 16)
    np.savez(newest, volumes=bars(count=2))
    with Browser(tmp_path / "profile") as browser:
        browser.open(write_report(run.folder).as_uri())
        browser.wait_for("document.querySelectorAll('.solids:not([hidden]) canvas').length == 2")
        first = np.array(browser.value(PIXELS)).reshape(CANVAS_SIDE, CANVAS_SIDE, 4)
        expected = rendered(bars(), side=CANVAS_SIDE)[0]
        shown, wanted = first[..., 3] > 0, (expected < 255).any(-1)
        assert (shown & wanted).sum() > 0.95 * (shown | wanted).sum() > 0
        difference = np.abs(first[..., :3].astype(int) - expected)[shown & wanted]
        assert np.median(difference) < 12, "shaded alike"

        start = browser.value(LOOK)
        for key, other in (("ArrowRight", False), ("ArrowLeft", True), ("ArrowDown", False), ("Home", True)):
            browser.value(f"{CANVAS}.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")
            browser.wait_for(f"{LOOK} {'===' if other else '!=='} {start!r}", 20)
        browser.value(f"{CANVAS}.scrollIntoView({{block: 'center'}})")
        x, y = browser.value(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({CANVAS}.getBoundingClientRect())")
        for kind, moved in (("mousePressed", 0), ("mouseMoved", 30), ("mouseReleased", 30)):
            browser.call(
                "Input.dispatchMouseEvent", type=kind, x=x + moved, y=y, button="left", buttons=1, clickCount=1
            )
        browser.wait_for(f"{LOOK} !== {start!r}", 20)
        dragged = browser.value(LOOK)
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x + 60, y=y)
        assert browser.value(f"new Promise(done => requestAnimationFrame(() => done({LOOK})))") == dragged, "let go"
        assert browser.value(LOOK.replace("[0]", "[1]")) == dragged, "all turn together"
        assert not browser.outside()
