"""`ganvas encode` and `ganvas decode`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import ganvas as library
from command_line import Command, train_once
from ganvas.cli.encode import read_codes
from ganvas.data import open_data, read_image
from ganvas.errors import UsageError
from ganvas.tasks.encode import decode


@pytest.fixture(scope="session")
def coding(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of VAE-GAN after two steps."""
    return train_once(tmp_path_factory.mktemp("runs") / "coding", "vae_gan", two_channels, 2)


def test_there_and_back(ganvas: Command, coding: Path, two_channels: Path) -> None:
    ended = ganvas("encode", coding, two_channels, "--split", "test", "--out", "codes.npz", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert ended.lines == ["4 codes written to codes.npz"]
    test = open_data(two_channels).part("test")
    assert test is not None
    with np.load("codes.npz") as found:
        codes, labels = found["codes"], found["labels"]
    # A data set is encoded as it is given, whichever split it is.
    run = library.load(coding)
    assert np.array_equal(run.encode(test, device="cpu"), codes)
    assert len(run.encode(test, split="train", device="cpu")) == len(open_data(two_channels))
    assert codes.shape == (4, 8) and codes.dtype == np.float32
    np.testing.assert_array_equal(labels, test.labels)

    ended = ganvas("decode", coding, "codes.npz", "--out", "again", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in Path("again").iterdir()) == [f"code00000{number}.png" for number in range(4)]
    image = decode(library.load(coding).method, codes)[2]
    np.testing.assert_array_equal(read_image(Path("again/code000002.png")), image[..., [0, 1, 1]])


def test_codes_of_other_weights_are_refused(ganvas: Command, coding: Path, two_channels: Path) -> None:
    ganvas("encode", coding, two_channels, "--out", "codes.npz", "--device", "cpu")
    shutil.copytree(coding, "other")
    weights = Path("other/weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    ended = ganvas("decode", "other", "codes.npz", "--out", "again")
    assert ended.code == 2 and ended.err.startswith(
        "error: codes.npz was encoded with other weights than those of other"
    )
    assert not Path("again").exists()


def test_a_damaged_file_of_codes_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez_compressed("codes.npz", codes=np.random.default_rng(0).normal(size=(50, 8)), weights=np.array("some"))
    content = bytearray(Path("codes.npz").read_bytes())
    for damage in range(100, 1400, 50):
        damaged = bytearray(content)
        damaged[damage : damage + 30] = b"\xff" * 30
        Path("damaged.npz").write_bytes(damaged)
        with pytest.raises(UsageError, match="is not a file of `ganvas encode`"):
            read_codes(Path("damaged.npz"))


def test_refusals(ganvas: Command, coding: Path, trained: Path, two_channels: Path) -> None:
    np.savez("foreign.npz", images=np.zeros(3))
    Path("broken.npz").write_text("no zip")
    for words, code, message in [
        (["encode", trained, two_channels, "--out", "a.npz"], 2, "gan cannot encode images"),
        (["encode", coding, two_channels, "--out", "a.png"], 2, "--out takes a FILE.npz (got a.png)"),
        (["encode", coding, two_channels, "--split", "half", "--out", "a.npz"], 2, f"{two_channels} has no split half"),
        (
            ["encode", coding, "digits", "--out", "a.npz"],
            1,
            "this run of vae_gan is of images of (height, width, channels) (30, 50, 2)",
        ),
        (["decode", coding, "nothing.npz", "--out", "a"], 2, "there are no codes at nothing.npz"),
        (["decode", coding, "foreign.npz", "--out", "a"], 2, "foreign.npz is not a file of `ganvas encode`"),
        (["decode", coding, "broken.npz", "--out", "a"], 2, "broken.npz is not a file of `ganvas encode`"),
        (["decode", coding, "foreign.npz", "--out", "a.png"], 2, "--out takes a folder (got a.png)"),
    ]:
        ended = ganvas(*words)
        assert (ended.code, ended.out) == (code, ""), ended
        assert ended.err.startswith(f"error: {message}"), ended.err
    assert sorted(path.name for path in Path().iterdir()) == ["broken.npz", "foreign.npz"]


@pytest.fixture(scope="session")
def quantising(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of VQ-VAE after two steps."""
    return train_once(tmp_path_factory.mktemp("runs") / "quantising", "vq_vae", two_channels, 2)


def test_whole_numbers_there_and_back(ganvas: Command, quantising: Path, two_channels: Path) -> None:
    ended = ganvas("encode", quantising, two_channels, "--split", "test", "--out", "codes.npz", "--device", "cpu")
    assert ended.code == 0, ended.err
    with np.load("codes.npz") as found:
        content = dict(found)
    codes = content["codes"]
    assert codes.shape == (4, 8 * 13) and codes.dtype == np.int32 and content["grids"].tolist() == [[8, 13, 8]]
    ended = ganvas("decode", quantising, "codes.npz", "--out", "again", "--device", "cpu")
    assert ended.code == 0, ended.err
    image = decode(library.load(quantising).method, codes)[2]
    np.testing.assert_array_equal(read_image(Path("again/code000002.png")), image[..., [0, 1, 1]])
    for changed, message in [
        (np.where(codes == codes[0, 5], 8, codes), "code 8 at place"),
        (codes[:, :-1], "codes of this vq_vae have the shape (n, 104) (got (4, 103))"),
        (codes.astype(np.float32), "codes of this vq_vae are integers (got float32)"),
    ]:
        np.savez("changed.npz", **{**content, "codes": changed})
        ended = ganvas("decode", quantising, "changed.npz", "--out", "none", "--device", "cpu")
        assert ended.code == 2 and ended.err.startswith(f"error: {message}"), ended.err
    assert not Path("none").exists()


def test_a_method_of_codes_is_measured_by_what_comes_back(ganvas: Command, quantising: Path) -> None:
    ended = ganvas("evaluate", quantising, "--json", "--device", "cpu")
    assert ended.code == 0, ended.err
    found = ended.json["metrics"]
    assert set(found) == {"MSE", "PSNR", "perplexity", "codes_used"}
    assert found["PSNR"]["n"] == 4 and 0 < found["codes_used"]["value"] <= 1 <= found["perplexity"]["value"] <= 8
    ended = ganvas("sample", quantising, "--device", "cpu")
    assert ended.code == 1 and "cannot generate images from noise" in ended.err and "code_prior" in ended.err


def test_a_prior_is_trained_on_a_run(ganvas: Command, quantising: Path, two_channels: Path) -> None:
    words = ["train", "code_prior", "--preset", "tiny", "--data", two_channels, "--steps", 2, "--samples", 0]
    ended = ganvas(*words, "--device", "cpu", "--out", "prior")
    assert ended.code == 2 and "name its run by --codes RUN" in ended.err and not Path("prior").exists()
    ended = ganvas(*words, "--device", "cpu", "--out", "prior", "--codes", quantising)
    assert ended.code == 0, ended.err
    assert sorted(path.suffix for path in Path("prior/samples").iterdir()) == [".png"] * 2
    ended = ganvas("sample", "prior", "--n", 2, "--out", "made", "--device", "cpu")
    assert ended.code == 0 and len(list(Path("made").iterdir())) == 2, ended.err
