"""--init-from: which networks of another run a training begins with, and what it says where it cannot."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import ganvas
from ganvas.errors import RunError, UsageError
from ganvas.method import Method
from ganvas.run import Run
from ganvas.training.checkpoint import checkpoints, load_state
from ganvas.training.init_from import begins_with, first_difference, shared, take_networks
from parts import images, sentences, small, train_small, weights

PHOTOS = (3, 32, 32)


@pytest.fixture(scope="module")
def enlarger(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A srresnet of four steps."""
    return train_small("srresnet", tmp_path_factory.mktemp("runs") / "enlarger", 4, images(PHOTOS))


def begun(method: str | Method, out: Path, run: Run, steps: int = 3, **more: object) -> Run:
    return train_small(method, out, steps, images(PHOTOS), init_from=run.folder, **more)


def at_start(run: Run) -> dict[str, torch.Tensor]:
    """The method's state at step 0, which is saved before the first step."""
    return load_state(checkpoints(run.folder / "checkpoints")[0])["method"]


def test_another_methods_generator(enlarger: Run, tmp_path: Path) -> None:
    """As Ledig 2017 trains SRGAN: G from the run that minimised pixels, averaged; D as without."""
    run = begun("srgan", tmp_path / "begun", enlarger)
    plain = train_small("srgan", tmp_path / "plain", 3, images(PHOTOS))
    start, without = at_start(run), at_start(plain)
    for name, value in enlarger.method.state_dict().items():
        assert torch.equal(start[name], value), name
        assert not name.endswith("weight") or not torch.equal(without[name], value), name
    for name, value in without.items():
        assert not name.startswith("D.") or torch.equal(start[name], value), name
    said = [row["message"] for row in run.log() if row.get("event") == "said"]
    assert "begins with G with the weights of enlarger (srresnet), D with random ones" in said
    assert run.info["init_from"] == str(enlarger.folder)


def test_the_way_back_to_the_weights_that_it_began_with(enlarger: Run, tmp_path: Path) -> None:
    run = begun(small("srgan", first_phase=0.0), tmp_path / "begun", enlarger)
    kept = run.method.interpolated(0.0).G.state_dict()  # pyright: ignore
    for name, value in enlarger.method.get_submodule("G").state_dict().items():
        assert_close(kept[name], value)


def test_a_resumed_run_does_not_begin_again(enlarger: Run, tmp_path: Path) -> None:
    """It needs the other run no more, and has the same bits as one that never stopped."""
    folder = tmp_path / "enlarger"
    shutil.copytree(enlarger.folder, folder)
    whole = begun(small("srgan", decay="none"), tmp_path / "whole", Run(folder), 6)
    half = begun(small("srgan", decay="none"), tmp_path / "half", Run(folder), 3)
    shutil.rmtree(folder)
    longer = ganvas.train(resume=half.folder, data=images(PHOTOS), steps=6)
    assert longer.info["init_from"] == str(folder)
    assert weights(longer) == weights(whole)
    with pytest.raises(RunError, match=r"began with the weights of .*enlarger, not with those of"):
        ganvas.train(resume=half.folder, init_from=whole.folder, steps=9)
    with pytest.raises(RunError, match=r"began with random weights, not with those of .*: omit --init-from"):
        ganvas.train(resume=enlarger.folder, init_from=whole.folder, steps=9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"width": 6},
            r"G of enlarger \(srresnet\) is not the G of this srgan: out_channels of .* is 4 there, 6 here. Some of",
        ),
        ({"blocks": 2}, r"Conv2d body.1 there, ResidualBlock body.1 here. .*\(--set\): .*blocks=1"),
        ({"scale": 4}, r"scale of SRResNet is 2 there, 4 here. .*\(--set\): scale=2"),
    ],
)
def test_another_network(settings: dict[str, object], message: str, enlarger: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        begun(small("srgan", **settings), tmp_path / "run", enlarger)
    assert not (tmp_path / "run").exists()


def test_an_attribute_that_changes_no_shape(tmp_path: Path) -> None:
    """A G that is added to the bicubic image and one that is the image have the same weights and are not the same."""
    alone = train_small(small("srresnet", base="none"), tmp_path / "alone", 1, images(PHOTOS))
    with pytest.raises(UsageError, match="base of SRResNet is False there, True here"):
        begun("srresnet", tmp_path / "run", alone)


def test_no_network_in_common(enlarger: Run, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"enlarger \(srresnet\) trained G, and pixelcnn has .*: --init-from takes a run"
    ):
        begun("pixelcnn", tmp_path / "run", enlarger)
    with pytest.raises(RunError, match="there is no run at nowhere"):
        train_small("srgan", tmp_path / "run", 1, images(PHOTOS), init_from="nowhere")


def test_tokens_must_mean_the_same(tmp_path: Path) -> None:
    run = train_small("seq2seq", tmp_path / "run", 1)
    other = small("seq2seq")
    other.setup(replace(sentences().spec, text=replace(sentences().spec.text, merges=())))
    with pytest.raises(UsageError, match="learned other tokens than those of"):
        take_networks(other, run.method)


def test_what_the_first_batch_decides_is_not_decided_again(tmp_path: Path) -> None:
    """A codebook that was trained is not made anew by k-means of the first batch."""
    old = train_small("vq_vae", tmp_path / "old", 3)
    still = small("vq_vae", lr=0.0, codebook_decay=0.99999, revive=0.0)
    run = train_small(still, tmp_path / "new", 1, init_from=old.folder)
    vectors = "Q.0.vectors"
    assert_close(run.method.get_buffer(vectors), old.method.get_buffer(vectors), atol=1e-3, rtol=0)


def test_a_first_stage_stays_its_own(tmp_path: Path) -> None:
    run = train_small("code_prior", tmp_path / "run", 1)
    common, anew = shared(run.method, run.method)
    assert common and "first" not in common and not anew
    assert (
        begins_with(run.method, run.method) == f"begins with {', '.join(common)} with the weights of run (code_prior)"
    )


def test_first_difference() -> None:
    one = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    assert first_difference(one, nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())) == ""
    assert first_difference(one, nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh())) == "ReLU 1 there, Tanh 1 here"
    assert first_difference(one, nn.Sequential(nn.Conv2d(1, 2, 3))) == "ReLU 1 there, no further layer here"
    strided = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.ReLU())
    assert first_difference(one, strided) == "stride of Conv2d 0 is (1, 1) there, (2, 2) here"
