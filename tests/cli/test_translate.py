"""`ganvas translate`."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from command_line import QUICK, Command, train_once
from ganvas.cli.main import main
from ganvas.data import read_image, write_png
from ganvas.data.kinds.parallel_text import pairs_of
from ganvas.errors import UsageError
from ganvas.report import write_report
from ganvas.report.attention import attention_table
from ganvas.run import load
from parts import image_file, sentences
from report_parts import Page


@pytest.fixture(scope="session")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of CycleGAN on RGB images after two steps."""
    return train_once(tmp_path_factory.mktemp("runs") / "crossing", "cyclegan", image_file((3, 32, 32)), 2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    random = np.random.default_rng(0)
    for name, shape in {"one.png": (1, 1, 3), "in/grey.png": (9, 13, 1), "in/deep/alpha.png": (40, 33, 4)}.items():
        write_png(tmp_path / name, random.integers(0, 256, shape).astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_image_a_folder_a_zip_and_an_array(ganvas: Command, crossing: Path, here: Path) -> None:
    ended = ganvas("translate", crossing, "one.png", "--out", "out", "--device", "cpu")
    assert ended.code == 0 and ended.lines == ["one.png -> out/one.png"], ended.err
    assert read_image("out/one.png").shape == (1, 1, 3)

    ended = ganvas("translate", crossing, "in", "--out", "out", "--direction", "ba", "--json", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.json["direction"] == "ba" and ended.json["problems"] == []
    assert [one["size"] for one in ended.json["translated"]] == [[40, 33], [9, 13]]
    assert read_image("out/grey.png").shape == (9, 13, 3)
    np.testing.assert_array_equal(read_image("out/deep/alpha.png")[..., 3], read_image("in/deep/alpha.png")[..., 3])

    with zipfile.ZipFile("in.zip", "w") as archive:
        archive.write("in/grey.png", "a/grey.png")
    assert ganvas("translate", crossing, "in.zip", "--out", "zipped", "--direction", "ba", "--device", "cpu").code == 0
    np.testing.assert_array_equal(read_image("zipped/a/grey.png"), read_image("out/grey.png"))

    np.savez("some.npz", images=np.zeros((3, 10, 12, 3), np.uint8))
    assert ganvas("translate", crossing, "some.npz", "--out", "arrays", "--device", "cpu").code == 0
    with np.load("arrays/some.npz") as found:
        assert found["images"].shape == (3, 10, 12, 3) and found["images"].dtype == np.uint8


def test_one_that_is_broken_stops_no_other(ganvas: Command, crossing: Path, here: Path) -> None:
    Path("in/broken.png").write_bytes(b"nothing")
    ended = ganvas("translate", crossing, "in", "--out", "out", "--device", "cpu")
    assert ended.code == 1 and "1 of 3 images failed" in ended.err and "broken.png" in ended.err
    assert len(ended.lines) == 2 and Path("out/grey.png").exists()


def test_refusals(ganvas: Command, crossing: Path, trained: Path, here: Path) -> None:
    Path("void").mkdir()
    for words, code, message in [
        ([crossing, "one.png", "--out", "a.png"], 2, "--out takes a folder (got a.png)"),
        ([crossing, "one.png", "--out", "."], 2, "the result of one.png would overwrite it"),
        ([crossing, "one.png", "--out", "o", "--direction", "up"], 2, "translates ab and ba (got direction up)"),
        ([crossing, "nowhere.png", "--out", "o"], 1, "cannot read the image nowhere.png"),
        ([crossing, "void", "--out", "o"], 1, "there are no images in void"),
        ([trained, "one.png", "--out", "o"], 1, "gan does not translate images"),
    ]:
        ended = ganvas("translate", *words, "--device", "cpu")
        assert ended.code == code and message in ended.err and not ended.out, (words, ended)
    assert not Path("o").exists()


def test_a_run_is_measured(ganvas: Command, crossing: Path) -> None:
    """Both ways, beside copying; what it scored becomes the run's newest figures."""
    ended = ganvas("evaluate", crossing, "--json", "--device", "cpu")
    assert ended.code == 0, ended.err
    metrics = json.loads(ended.out)["metrics"]
    assert {"L1", "PSNR", "L1 ba", "PSNR ba"} < set(metrics) and metrics["L1"]["input"] > 0
    assert json.loads((crossing / "metrics.json").read_text())["metrics"] == metrics


# --- texts ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with en.txt and fr.txt, aligned."""
    folder = tmp_path_factory.mktemp("corpus")
    lines = [line.split("\t") for line in Path(sentences().source).read_text(encoding="utf-8").splitlines()]
    for side, name in enumerate(("en.txt", "fr.txt")):
        (folder / name).write_text("\n".join(line[side] for line in lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run after three steps."""
    out = tmp_path_factory.mktemp("runs") / "french"
    words = ["seq2seq", "--data", corpus / "en.txt", "--set", f"data.partner={corpus / 'fr.txt'}", "--preset", "tiny"]
    words += ["--set", "data.vocabulary=80", "--steps", 3, "--out", out]
    with pytest.raises(SystemExit) as end:
        main(["train", *map(str, words), *QUICK])
    assert not end.value.code
    return out


def test_a_text_and_a_file(ganvas: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = ganvas("translate", run, "the cat sat 1", "--device", "cpu")
    assert one.code == 0 and len(one.lines) == 1, one.err
    Path("in.txt").write_text("a mat\n\nthe cat sat 1\n", encoding="utf-8")
    shown = ganvas("translate", run, "in.txt", "--device", "cpu")
    assert shown.code == 0 and len(shown.lines) == 3 and shown.lines[1:] == ["", one.lines[0]]
    ended = ganvas("translate", run, "in.txt", "--out", "out.txt", "--device", "cpu")
    assert ended.lines == ["3 lines written to out.txt"]
    assert Path("out.txt").read_text(encoding="utf-8").splitlines() == shown.lines
    greedy = ganvas(
        "translate", run, "the cat sat 1", "--beam", "1", "--length-penalty", "0", "--json", "--device", "cpu"
    )
    assert greedy.json["translated"][0].keys() == {"text"}


def test_a_text_of_the_training_has_its_translation_there(ganvas: Command, run: Path, trained: Path) -> None:
    """After three steps the network is sure of nothing, and the same source is wholly alike; in Python as well."""
    source, target = pairs_of(load(run).open_data())[0]
    for memory in (True, False):
        ended = ganvas("translate", run, source, *["--memory"] * memory, "--device", "cpu")
        assert ended.code == 0 and (ended.lines == [target]) == memory, ended.err
        assert (load(run).translate([source], memory=memory, device="cpu") == [target]) == memory
    with pytest.raises(UsageError, match="memory is for runs of parallel text"):
        load(trained).translate(["a"], memory=True)


def test_what_cannot_be_translated(
    ganvas: Command, run: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("the cat\n", encoding="utf-8")
    for words, message in (
        ((run, "été"), "the text has characters that the vocabulary lacks"),
        ((run, "nothing.txt"), "there is no file nothing.txt"),
        ((run, "in.txt", "--out", "in.txt"), "--out takes a file of its own"),
        ((run, "a mat", "--direction", "ba"), "translates ab (got direction ba)"),
        ((run, "a mat", "--beam", "0"), "greater than or equal to 1"),
        ((trained, "in.txt", "--beam", "2"), "--beam is for runs of parallel text: omit it"),
        ((trained, "in.txt", "--memory"), "--memory is for runs of parallel text: omit it"),
        ((trained, "in.txt"), "--out is missing"),
    ):
        ended = ganvas("translate", *words, "--device", "cpu")
        assert ended.code in (1, 2) and message in ended.err.replace("\n", " "), ended.err
    assert Path("in.txt").read_text(encoding="utf-8") == "the cat\n"


def test_figures_data_card_and_doctor(ganvas: Command, run: Path, corpus: Path) -> None:
    pytest.importorskip("sacrebleu", reason='pip install "ganvas[text]"')
    ended = ganvas("evaluate", run, "--device", "cpu")
    assert ended.code == 0, ended.err
    assert any(line.startswith("chrF ") and "copied" in line for line in ended.lines)
    assert any(line.startswith("bits_per_character ") for line in ended.lines)
    shown = ganvas("data", corpus / "en.txt", "--set", f"partner={corpus / 'fr.txt'}", "--set", "vocabulary=80")
    assert shown.code == 0 and any("tokens for both sides" in line for line in shown.lines), shown.err
    assert ganvas("doctor", run).code == 0


def test_the_report_shows_translations_and_attention(run: Path) -> None:
    page = Page(write_report(run).read_text()).check()
    assert "translated" in page.text and "reference" in page.text
    assert "a row for each token of the translation" in page.text and len(page.all("table")) >= 4
    table = attention_table(["·the", " cat"], [" chat"], np.array([[0.25, 0.7, 0.05]]))
    assert table.count("<td") == 3 and "opacity:0.70" in table and "·cat" in table and "·the cat → chat" in table


def test_other_kinds_of_data_are_refused(ganvas: Command, tmp_path: Path) -> None:
    ended = ganvas("train", "seq2seq", "--data", "digits", "--out", tmp_path / "run", "--steps", "1")
    assert ended.code == 2 and "digits is images" in ended.err, ended.err
    (tmp_path / "story.txt").write_text("once upon a time\n" * 40)
    ended = ganvas("train", "seq2seq", "--data", tmp_path / "story.txt", "--out", tmp_path / "run", "--steps", "1")
    assert ended.code == 1 and "line 1 has 1 column" in ended.err, ended.err
