"""The size that a training chooses where data.size=auto leaves it open: by device, method and budget."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas.abilities import Translates
from ganvas.data import open_data
from ganvas.data.source import reduced
from ganvas.registry import create
from ganvas.training.config import TrainConfig
from ganvas.training.image_size import choose_size, recorded_choice
from ganvas.training.prepare import start, with_size
from parts import small, train_small

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty images of 256 x 512 (height x width), all alike in size."""
    from ganvas.data import write_png

    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(20):
        coarse = random.integers(0, 256, (16, 32, 3)).astype(np.uint8)
        write_png(folder / f"{number}.png", coarse.repeat(16, 0).repeat(16, 1))
    return folder


def test_reduced_sizes_keep_proportions_in_multiples_of_eight() -> None:
    assert reduced((3024, 4032), 256) == (192, 256)
    assert reduced((256, 512), 64) == (32, 64)
    assert reduced((28, 28), 32) == (28, 28)
    assert reduced((256, 256), 256) == (256, 256)
    assert reduced((6000, 1), 256) == (256, 1)


def test_auto_is_capped_where_all_images_share_one_size(photos: Path) -> None:
    data = open_data(photos)
    assert data.spec.shape == (3, 128, 256)
    assert data.facts["size_rule"] == "all are 256x512: reduced to 256 at most; crop"
    assert open_data(photos, max_size=64).spec.shape == (3, 32, 64)
    assert open_data(photos, size="256x512").spec.shape == (3, 256, 512)


def test_a_longer_budget_and_a_cheaper_method_get_larger_images(photos: Path) -> None:
    def longest(method: str, minutes: float | None, **settings: object) -> int:
        choice = choose_size(create(method, None, settings), str(photos), {}, CPU, minutes)
        assert choice is not None and choice.stored == (256, 512)
        return choice.max_size

    assert longest("r3gan", 1) < longest("r3gan", 5) < longest("r3gan", 600) == 256
    assert longest("dcgan", 30, width=64) < longest("r3gan", 30)
    assert longest("dcgan", 5, batch_size=4) == longest("dcgan", 5, batch_size=32), (
        "small batches are no reason for large images"
    )
    # Without minutes the size does not depend on the machine: it is that of five minutes on two cores.
    assert longest("r3gan", None) == longest("r3gan", 5)


def test_on_a_gpu_auto_takes_256(photos: Path) -> None:
    choice = choose_size(create("r3gan", None, {}), str(photos), {}, GPU, 1)
    assert choice is not None and choice.max_size == 256


def test_who_turns_images_into_images_gets_no_stamps(photos: Path) -> None:
    method = create("pix2pix", None, {})
    assert isinstance(method, Translates)
    choice = choose_size(method, str(photos), {}, CPU, 0.1)
    assert choice is not None and min(reduced(choice.stored, choice.max_size)) >= 64


def test_nothing_is_chosen_where_somebody_did_or_nobody_has_to(photos: Path) -> None:
    for given in ({"size": 32}, {"max_size": 48}):
        config, choice = with_size(TrainConfig("r3gan", photos, data_settings=given), small("r3gan"))
        assert choice is None and dict(config.data_settings) == given
    assert with_size(TrainConfig("r3gan", "digits"), small("r3gan"))[1] is None


def test_the_choice_is_said_and_recorded_and_the_advice_can_be_followed(photos: Path) -> None:
    run = ganvas.train(small("gan"), photos, out="run", steps=1, samples=0, device="cpu", precision="fp32")
    size = run.info["size"]
    assert size["chosen"] and size["stored"] == [256, 512] and run.spec.shape == (3, size["height"], size["width"])
    assert run.info["data_settings"]["max_size"] == size["max_size"]
    messages = [row["message"] for row in run.log() if row.get("event") == "said"]
    (said,) = [message for message in messages if "trained at" in message]
    assert f"trained at {size['height']}x{size['width']}" in said

    # A resumed run keeps both.
    resumed = train_small(small("gan"), "run", 2, data=open_data(photos, max_size=size["max_size"]), resume="run")
    assert resumed.info["size"] == size and recorded_choice(resumed) == recorded_choice(run)

    # What it advises works.
    advised = re.search(r"--set data\.size=HxW, such as (\d+)x(\d+)", said)
    assert advised
    height, width = int(advised[1]), int(advised[2])
    assert height > size["height"]
    session = start(
        TrainConfig(small("gan"), photos, steps=1, precision="fp32", data_settings={"size": f"{height}x{width}"})
    )
    assert session.data.spec.shape == (3, height, width) and session.size is None


def test_codes_are_of_images_of_the_first_stage_s_size(photos: Path) -> None:
    first = ganvas.train(small("vq_vae"), photos, out="first", steps=1, samples=0, precision="fp32")
    second = ganvas.train(
        small("code_prior"), photos, out="second", steps=1, samples=0, precision="fp32", codes="first"
    )
    assert second.spec.shape == first.spec.shape
