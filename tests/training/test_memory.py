"""A training that cannot fit is refused before it is built, with advice that works."""

from __future__ import annotations

import dataclasses
import re

import pytest
import torch

import parts
from ganvas.data import Dataset
from ganvas.errors import DataError, TrainingError
from ganvas.method import Method
from ganvas.registry import create
from ganvas.settings import setting
from ganvas.training.engine import Engine
from ganvas.training.memory import MEMORY_SHARE, check_memory, estimate, free_memory
from ganvas.training.session import check_fit
from ganvas.training.step_cost import noise, noise_spec, step_cost, works
from parts import images, small, trainer_for

ENGINE = Engine(torch.device("cpu"), "fp32", "as asked")


def large(height: int, width: int) -> Dataset:
    """A data set that says it is of this size; nothing but its size is looked at here."""
    data = images((3, 32, 32))
    return dataclasses.replace(data, spec=dataclasses.replace(data.spec, height=height, width=width))


def test_operations_of_a_linear_network_are_counted_exactly() -> None:
    """Forward and both gradients of one product are 2 N I O each; the first layer needs no gradient of its input."""
    method = create("gan", None, {"generator": (16,), "discriminator": (16,), "z_dim": 8, "batch_size": 4})
    cost = step_cost(method)
    assert cost is not None
    pixels = 3 * 32 * 32
    # G: 8-16-pixels; D: pixels-16-1.
    generator, discriminator = [(8, 16), (16, pixels)], [(pixels, 16), (16, 1)]
    forward = 2 * sum(i * o for i, o in generator)
    backward = 2 * (8 * 16) + 4 * 16 * pixels
    score = 2 * sum(i * o for i, o in discriminator)
    assert cost.operations * 32 * 32 > forward + backward + 2 * score
    assert cost.operations * 32 * 32 < 2 * (forward + backward) + 8 * score


def test_counting_leaves_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    step_cost.__globals__["_counted"].cache_clear()
    assert step_cost(small("dcgan")) is not None
    assert torch.equal(torch.rand(1), expected)


def test_the_estimate_grows_with_batch_and_pixels() -> None:
    method, spec = small("dcgan"), noise_spec()
    one = estimate(method, spec, 0, 16)
    batch = estimate(method, spec, 0, 32)
    size = estimate(method, dataclasses.replace(spec, height=64, width=64), 0, 16)
    assert one and batch and size
    assert batch.step == pytest.approx(2 * one.step, rel=0.01)
    assert size.step == pytest.approx(4 * one.step, rel=0.01)
    assert size.weights > one.weights


def test_the_estimate_is_near_what_a_step_keeps() -> None:
    """Tensors that the dearest update of a real step at another size and batch keeps, against the proportion."""
    method = create("dcgan", "tiny", {"batch_size": 24})
    data = images((3, 64, 64), 60)
    trainer = trainer_for(method, data)
    largest = 0
    for update in trainer.updates:
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        batch = trainer.feed.next()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            update.loss(batch)
        largest = max(largest, sum(kept.values()))
    cost = step_cost(create("dcgan", "tiny", {"batch_size": 24}), data.spec)
    assert cost is not None
    assert 0.5 < cost.activations * 64 * 64 * 24 / largest < 2


@pytest.mark.parametrize(("name", "free"), [("dcgan", 2e9), ("r3gan", 1e9), ("pacgan", 2e9), ("stylegan2", 3e9)])
def test_what_does_not_fit_is_refused_with_a_batch_and_a_size_that_do(name: str, free: float) -> None:
    method, data = create(name, None, {}), large(256, 512)
    with pytest.raises(TrainingError, match=r"takes about .* GB of memory .* are free: choose ") as refused:
        check_memory(method, data, ENGINE, free=int(free))
    batch = re.search(r"--set batch_size=(\d+)", str(refused.value))
    size = re.search(r"--set data\.size=(\d+)x(\d+)", str(refused.value))
    assert batch or size
    if batch:
        smaller = method.with_settings({"batch_size": int(batch[1])})
        assert works(method, smaller.batch_size)
        needed = check_memory(smaller, data, ENGINE, free=int(free))
        assert needed and needed.total <= MEMORY_SHARE * free
        # It is the largest: what fits no more, or is refused, comes next.
        for more in range(smaller.batch_size + 1, smaller.batch_size + 4):
            next_one = estimate(method, data.spec, data.examples.nbytes + data.partners.nbytes, more)  # pyright: ignore
            assert next_one and (next_one.total > MEMORY_SHARE * free or not works(method, more))
    if size:
        assert check_memory(method, large(int(size[1]), int(size[2])), ENGINE, free=int(free))


def test_small_images_are_not_even_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.training.memory.step_cost", parts.unexpected)
    assert check_memory(small("dcgan"), images(), ENGINE, free=1) is None


@pytest.mark.parametrize(
    ("name", "settings", "less"),
    [
        ("wavenet", {}, "data.seconds"),
        ("rnn_text", {"batch_size": 256, "window": 200}, "window"),
    ],
)
def test_sound_and_text_are_estimated_too(name: str, settings: dict[str, int], less: str) -> None:
    """In proportion to samples and tokens; what cannot fit is refused with what takes less."""
    method, data = small(name, **settings), parts.data_for(name)
    spec = data.spec
    longer = dataclasses.replace(spec, width=64 * spec.width if name == "wavenet" else spec.width)
    one, two = estimate(method, longer, 0, 8), estimate(method, longer, 0, 16)
    assert one and two and two.step == pytest.approx(2 * one.step, rel=0.05)
    parameters = trainer_for(small(name), data).method.parameters()
    assert one.weights > 4 * sum(value.numel() for value in parameters)
    large_data = dataclasses.replace(data, spec=longer)
    with pytest.raises(TrainingError, match=rf"takes about .* of memory .* are free: choose .*a smaller {less}"):
        check_memory(method, large_data, ENGINE, free=int(5e8))


def test_this_machine_says_what_is_free() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50


@pytest.mark.parametrize("name", ["dcgan", "r3gan", "pacgan", "hinge_sn"])
@pytest.mark.parametrize("count", [3, 5, 7])
def test_a_batch_that_is_advised_trains(name: str, count: int) -> None:
    """F11: three images and a batch of 16 got the advice batch_size=1, which batch statistics refuse."""
    method = small(name, batch_size=16)
    data = noise(8, ("few", 1, ("0", "1", "2"), False, False))
    few = dataclasses.replace(data, examples=data.examples[:count], labels=None)
    with pytest.raises(DataError, match=rf"few has {count} images, fewer than a batch of 16") as refused:
        check_fit(method, few, ENGINE, guard=False)
    advised = re.search(r"choose --set batch_size=(\d+)", str(refused.value))
    assert advised
    batch_size = int(advised[1])
    assert 2 <= batch_size <= count
    followed = method.with_settings({"batch_size": batch_size})
    check_fit(followed, few, ENGINE, guard=False)
    trainer_for(followed, few, steps=2).step()
    assert not any(works(method, more) for more in range(batch_size + 1, count + 1))


@pytest.mark.parametrize("name", ["mocogan", "vgan", "gan3d", "wavenet", "seq2seq"])
def test_a_batch_is_advised_for_data_that_are_no_images(name: str) -> None:
    """The advice is tried on examples like those of the data; on images a method of videos cannot even be built."""
    method, data = small(name, batch_size=16), parts.data_for(name)
    few = dataclasses.replace(data, examples=data.examples[:5], labels=None)
    with pytest.raises(DataError, match="fewer than a batch of 16: add some, or choose --set batch_size=5"):
        check_fit(method, few, ENGINE, guard=False)


class Fussy(Method):
    """Accepts no batch below ten, so that no advice is possible."""

    batch_size: int = setting(16, "images per step", minimum=10)


def test_no_batch_is_advised_where_none_works() -> None:
    data = noise(8, ("few", 1, (), False, False))
    with pytest.raises(DataError) as refused:
        check_fit(Fussy(), dataclasses.replace(data, examples=data.examples[:3]), ENGINE, guard=False)
    assert str(refused.value).endswith("add some")
