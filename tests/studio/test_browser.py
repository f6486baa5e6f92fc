"""The page in a real browser: from dropped files to a downloaded sample, with the keyboard, in two widths, asking nobody else."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from ganvas.data import open_data
from ganvas.data.image import png_bytes
from ganvas.data.metadata import read_provenance
from parts import train_small
from studio_server import StudioProcess, wait

playwright = pytest.importorskip(
    "playwright.sync_api", reason="tests in a browser need Playwright: pip install playwright"
)
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if BROWSER is None:
    pytest.skip("there is no Chromium here: apt-get install chromium", allow_module_level=True)
AXE = Path(__file__).parents[1] / "helpers" / "axe" / "axe.min.js"
VIEWS = (
    "runs", "data", "train", "queue", "explore", "explore/first", "use", "use?task=stylise", "use/holes", "use/pairs",
    "compare?runs=first,holes", "run/first", "run/first?tab=curves", "run/first?tab=figures", "run/first?tab=settings",
)  # fmt: skip


@pytest.fixture(scope="module")
def own(studio_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio of its own runs: a GAN, one that fills holes, one that translates."""
    runs = tmp_path_factory.mktemp("browser") / "runs"
    shutil.copytree(studio_runs / "first", runs / "first")
    train_small("inpaint", runs / "holes", 2)
    train_small("pix2pix", runs / "pairs", 2)
    process = StudioProcess(runs)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(own: StudioProcess, browser: Any) -> Iterator[Any]:
    """A page; the test fails where it asked another origin, or where anything went wrong in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(150_000)
    wrong: list[str] = []

    def asked(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != f"127.0.0.1:{own.port}":
            wrong.append(f"asked {request.url}")

    opened.wrong = wrong
    opened.on("request", asked)
    opened.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    opened.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    yield opened
    context.close()
    assert not wrong


def show(page: Any, own: StudioProcess, view: str) -> None:
    page.goto(f"http://127.0.0.1:{own.port}/#/{view}")
    page.wait_for_selector(".page")


def changes(page: Any, selector: str, before: str) -> str:
    """The `src` of an image, once it is another one."""
    page.wait_for_function(
        "([s, b]) => document.querySelector(s)?.src && document.querySelector(s).src !== b", arg=[selector, before]
    )
    return page.get_attribute(selector, "src")


def files(tmp_path: Path) -> Path:
    """A zip of digits in folders."""
    data = open_data("digits")
    assert data.labels is not None
    path = tmp_path / "my digits.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(0, 6000, 100):
            archive.writestr(f"{data.labels[number]}/{number}.png", png_bytes(np.asarray(data.images[number])))
    return path


@pytest.mark.slow
def test_from_a_dropped_zip_to_a_downloaded_sample(page: Any, own: StudioProcess, tmp_path: Path) -> None:
    show(page, own, "data")
    page.set_input_files("input[type=file] >> nth=0", str(files(tmp_path)))
    page.get_by_role("link", name="Train on these").click()
    assert page.locator("label:has-text('Data') + select").evaluate("one => one.selectedOptions[0].text") == "my digits"

    # The form: another method, few steps, and what it would take.
    page.get_by_label("Method", exact=True).select_option("gan")
    page.get_by_label("Preset").select_option("tiny")
    page.get_by_label("Name of the run").fill("from-the-page")
    page.get_by_text("All settings").click()
    page.get_by_label("Search settings").fill("steps")
    page.get_by_label("steps", exact=True).fill("4")
    page.get_by_label("Search settings").fill("samples")
    page.get_by_label("samples", exact=True).fill("0")
    page.reload()
    assert page.get_by_label("Name of the run").input_value() == "from-the-page", "a reload keeps the form"
    page.get_by_role("button", name="What will it take?").click()
    page.wait_for_selector(".expected")
    page.get_by_role("button", name="Put into the queue").click()
    page.wait_for_selector(".job.done")
    page.get_by_role("link", name="Train gan: from-the-page").click()
    page.locator("main").get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_selector(".wall img")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    saved = tmp_path / "sample.png"
    download.value.save_as(saved)
    made = read_provenance(saved)
    assert made is not None and (made.run, made.seed) == ("from-the-page", 0)
    with Image.open(saved) as opened:
        assert opened.size == (28, 28)

    # Dropped on the page, the file leads back to its state.
    show(page, own, "explore")
    page.set_input_files("input[type=file]", str(saved))
    page.wait_for_url("**/#/explore/from-the-page?p=*")


def test_a_slider_changes_the_image_and_a_reload_keeps_it(page: Any, own: StudioProcess) -> None:
    show(page, own, "explore/first")
    first = changes(page, ".editor .large", "")
    page.get_by_label("Truncation").fill("0.5")
    second = changes(page, ".editor .large", first)
    page.reload()
    assert changes(page, ".editor .large", "") == second and "truncation" in page.url

    # Pins, a walk, and arithmetic.
    for seed in (3, 4, 5):
        page.get_by_role("button", name=f"Seed {seed}", exact=True).click()
        page.get_by_role("button", name="Pin", exact=True).click()
    before = page.get_attribute(".editor .large", "src")
    page.get_by_label("From pin 1 to pin 2").fill("0.3")
    walked = changes(page, ".editor .large", before)
    for name, pin in zip("ABC", "123", strict=True):
        page.get_by_label(name, exact=True).select_option(label=pin)
    changes(page, ".editor .large", walked)
    assert "seed 3 \u2212 seed 4 + seed 5" in page.inner_text(".editor figcaption")


@pytest.mark.slow
def test_a_photo_is_found(page: Any, own: StudioProcess, tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(png_bytes(np.asarray(open_data("digits").images[0])))
    show(page, own, "explore/first")
    page.wait_for_selector(".editor .large[src]")
    page.locator(".explore input[type=file]").set_input_files(str(tmp_path / "digit.png"))
    page.wait_for_selector("text=PSNR")
    page.wait_for_selector(".editor figcaption:has-text('your photo')")


@pytest.mark.slow
def test_a_hole_is_painted_and_filled(page: Any, own: StudioProcess) -> None:
    show(page, own, "use/holes")
    page.get_by_role("button", name="Example 1 of the data").click()
    canvas = page.locator(".brush canvas")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
    page.mouse.up()
    page.get_by_role("button", name="Fill", exact=True).click()
    page.wait_for_selector(".before-after .over")
    images = page.evaluate("[...document.querySelectorAll('.before-after img')].map(one => one.src)")
    after, before = (
        np.asarray(Image.open(io.BytesIO(own.ask("GET", urlsplit(one).path).body))).astype(int) for one in images
    )
    changed = (after != before).reshape(*after.shape[:2], -1).any(2)
    height, width = changed.shape
    assert (
        changed[height // 2, width // 2 : int(width * 0.65)].any()
        and not changed[: height // 8].any()
        and not changed[-height // 8 :].any()
    )
    page.get_by_label("Before and after").fill("10")
    page.reload()
    page.wait_for_selector(".before-after .over")


def test_a_drawing_is_translated(page: Any, own: StudioProcess) -> None:
    show(page, own, "use/pairs")
    page.get_by_text("draw it").click()
    canvas = page.locator(".scribble canvas")
    canvas.focus()
    for key in (" ", *["ArrowRight"] * 8, *["ArrowDown"] * 5, " "):  # by the keyboard alone
        page.keyboard.press(key)
    page.wait_for_selector(".before-after img")
    first = page.get_attribute(".before-after img", "src")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60)
    page.mouse.up()
    changes(page, ".before-after img", f"http://127.0.0.1:{own.port}{first}")


@pytest.mark.slow
def test_a_photo_is_stylised_with_previews(page: Any, own: StudioProcess, tmp_path: Path) -> None:
    from ganvas.networks.features.weights import networks_at_hand

    if not networks_at_hand():
        pytest.skip("there are no weights of a feature network here")
    random = np.random.default_rng(0)
    for name in ("photo", "style"):
        (tmp_path / f"{name}.png").write_bytes(png_bytes(random.integers(0, 255, (64, 64, 3), np.uint8)))
    show(page, own, "use?task=stylise")
    page.set_input_files("input[type=file] >> nth=0", str(tmp_path / "photo.png"))
    page.wait_for_selector("img[alt='Your photo']")
    page.set_input_files("input[type=file] >> nth=1", str(tmp_path / "style.png"))
    page.wait_for_selector("img[alt='The style']")
    page.get_by_label("Steps").fill("10")
    page.get_by_role("button", name="Stylise").click()
    page.wait_for_selector(".before-after img, .message.error")
    assert page.locator(".before-after img").count() or "weights" in page.inner_text(".message.error")


@pytest.mark.slow
def test_the_page_survives_a_killed_studio(page: Any, own: StudioProcess) -> None:
    show(page, own, "queue")
    number = own.train("killed", 100_000, minutes=10)
    page.wait_for_selector(".job.running")
    port = own.port
    own.kill()
    page.wait_for_selector("text=The studio does not answer")
    own.start(port)
    page.wait_for_selector("text=The studio does not answer", state="detached")
    page.wait_for_selector(".job.running")
    page.get_by_role("button", name="Stop: Train gan: killed").click()
    page.wait_for_selector(".job.stopped")
    assert own.job(number)["state"] == "stopped"
    page.wrong[:] = [one for one in page.wrong if "ERR_CONNECTION" not in one and "Failed to load" not in one]


def test_runs_are_compared_and_binned(page: Any, own: StudioProcess) -> None:
    shutil.copytree(own.runs / "first", own.runs / "spare")
    show(page, own, "runs")
    page.get_by_label("Search runs").fill("spare")
    page.wait_for_function("document.querySelectorAll('.cards > li').length === 1")
    page.get_by_role("button", name="Move to the bin: spare").click()
    page.get_by_role("button", name="Move to the bin", exact=True).click()
    wait(lambda: not (own.runs / "spare").exists(), 10)
    page.get_by_role("button", name="Bin", exact=True).click()
    page.get_by_role("button", name="Take back").click()
    wait(lambda: (own.runs / "spare").exists(), 10)
    show(page, own, "compare?runs=first,holes")
    assert page.locator("table.compare thead th").count() == 2


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_nothing_stands_in_the_way_of_a_screen_reader(page: Any, own: StudioProcess, theme: str) -> None:
    """axe-core finds nothing serious on any view, in either theme and width."""
    page.emulate_media(color_scheme=theme)
    found: list[str] = []
    for view in VIEWS:
        show(page, own, view)
        page.wait_for_timeout(300)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            for violation in result["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    nodes = [node["html"][:160] for node in violation["nodes"][:3]]
                    found.append(f"{view} {width}: {violation['id']} {nodes}")
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if overflow > 1:
                found.append(f"{view} {width}: the page is {overflow} pixels too wide")
    assert not found, "\n".join(found)


def test_the_first_paint_comes_soon(page: Any, own: StudioProcess) -> None:
    """Below a second on free cores; tests run beside others, so that only what is far off fails."""
    show(page, own, "runs")
    times = []
    for _ in range(3):
        page.reload()
        page.wait_for_selector(".page")
        times.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
    assert min(times) < 3000
