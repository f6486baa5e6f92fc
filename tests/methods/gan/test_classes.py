"""Class-conditional training: what G and D are told, how classes are drawn and asked for, and what bad labels meet."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from ganvas.abilities import HasDiscriminator
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, UsageError
from ganvas.method import Method
from ganvas.methods._base import worth_conditioning
from ganvas.methods.gan import Pair
from ganvas.networks.conditional import ProjectionDiscriminator, labelled, projected
from ganvas.registry import create, find, method_names
from ganvas.sampling import class_number, sample
from ganvas.settings import settings_of
from parts import images, small, trainer_for

CONDITIONAL = [name for name in method_names() if "conditional" in settings_of(find(name))]
AUTO = [
    name
    for name in CONDITIONAL
    if settings_of(find(name))["conditional"].default is None and "images" in find(name).takes
]
SPEC = DataSpec("animals", 1, 8, 8, 10, classes=("cat", "dog", "owl"), class_counts=(1, 3, 0))


def built(name: str = "dcgan", spec: DataSpec | None = None) -> Method:
    method = small(name, conditional=True)
    method.spec = spec or images().spec
    torch.manual_seed(0)
    method.build(method.spec)
    return method.eval().requires_grad_(False)


def test_the_setting_is_where_it_is_promised() -> None:
    assert {"dcgan", "r3gan"} <= set(CONDITIONAL) and {"dcgan", "mgan"} <= set(AUTO)


@pytest.mark.parametrize("name", CONDITIONAL)
def test_the_class_reaches_every_network(name: str) -> None:
    """After a few steps: another class is another image from the same z, and another verdict on the same image, if any."""
    trainer = trainer_for(small(name, conditional=True))
    for _ in range(3):
        trainer.step()
    method = trainer.method.eval().requires_grad_(False)
    zero, one = sample(method, 4, seed=0, label=0), sample(method, 4, seed=0, label=1)
    assert not torch.equal(zero, one)
    if not isinstance(method, HasDiscriminator):
        return
    batch = trainer.feed.next()
    assert batch.label is not None
    before = method.discriminate(batch, batch.real)
    moved = dataclasses.replace(batch, label=(batch.label + 1) % 3)
    assert not torch.equal(before, method.discriminate(moved, batch.real))


def test_a_projection_by_hand() -> None:
    """psi = 10, V_0 . phi = 1, V_1 . phi = 2: class 0 gets 11, class 1 gets 12."""
    D = ProjectionDiscriminator(torch.nn.Identity())
    scores = torch.tensor([[10.0, 1.0, 2.0], [10.0, 1.0, 2.0]])
    assert D(scores, torch.tensor([0, 1])).tolist() == [[11.0], [12.0]]


def test_without_classes_networks_stay_as_they_are() -> None:
    network = torch.nn.Linear(2, 2)
    assert labelled(network, 0) is network and projected(network, 0) is network


def test_seeds_have_classes_as_often_as_the_data() -> None:
    method = built(spec=SPEC)
    assert isinstance(method, Pair)
    drawn = method.labels(range(4000))
    assert drawn is not None
    share = torch.bincount(drawn, minlength=3) / 4000
    assert torch.allclose(share, torch.tensor([0.25, 0.75, 0.0]), atol=0.03)  # four standard deviations
    assert torch.equal(drawn[70:80], method.labels(range(70, 80))), "a class belongs to its seed"  # pyright: ignore[reportArgumentType]
    z = method.latents(range(4000))
    assert torch.corrcoef(torch.stack([drawn.float(), z[:, 0]]))[0, 1].abs() < 0.07, "the class must not follow from z"
    assert built(spec=None).labels(range(3)) is not None and create("dcgan").labels(range(3)) is None  # pyright: ignore


@pytest.mark.parametrize("name", AUTO)
@pytest.mark.parametrize(
    ("counts", "count", "worth"),
    [
        ((60, 60), 120, True),
        ((), 120, False),  # no labels
        ((120, 0), 120, False),  # of one class
        ((60, 50), 120, False),  # ten images without a label
        ((60, 30), 90, False),  # fewer than 50 each
        ((60, 60, 0), 120, True),  # a name that no image has
        ((60,) * 100, 6000, True),
        ((60,) * 101, 6060, False),
    ],
)
def test_classes_are_learned_where_they_are_worth_it(
    name: str, counts: tuple[int, ...], count: int, worth: bool
) -> None:
    """What auto becomes; the run says so, and a value of one's own stays."""
    names = tuple(map(str, range(len(counts))))
    spec = DataSpec("animals", 1, 8, 8, count, classes=names, class_counts=counts, total_variance=1.0)
    assert worth_conditioning(spec) is worth
    for agreement, alike in ((0.95, worth), (0.8, False)):
        assert worth_conditioning(dataclasses.replace(spec, label_agreement=agreement)) is alike
    method = create(name, None, {"width": 4})
    assert method.settings()["conditional"] is None
    method.build(spec)
    assert method.settings()["conditional"] is worth and (method.labels(range(2)) is not None) is worth
    asked = create(name, None, {"width": 4, "conditional": False})
    asked.build(spec)
    assert asked.settings()["conditional"] is False and asked.labels(range(2)) is None


def test_a_class_by_name_or_number() -> None:
    method = built(spec=SPEC)
    assert [class_number(method, asked) for asked in ("dog", 1, "0")] == [1, 1, 0]
    for untrained in ("owl", 2):
        with pytest.raises(UsageError, match=r"no training example of class owl"):
            class_number(method, untrained)
    with pytest.raises(UsageError, match=r"no class owll; did you mean owl.*cat, dog, owl, or 0 to 2"):
        sample(method, 1, label="owll")
    with pytest.raises(UsageError, match=r"no class 3 .*0 to 2"):
        sample(method, 1, label=3)
    plain = small("dcgan")
    plain.build(SPEC)
    with pytest.raises(
        UsageError, match=r"trained without classes.*omit --label, or train with --set conditional=true$"
    ):
        sample(plain.eval(), 1, label=1)


def test_data_without_classes_are_refused() -> None:
    with pytest.raises(DataError, match=r"animals has no labels.*sub-folder"):
        built(spec=dataclasses.replace(SPEC, classes=(), class_counts=()))
    with pytest.raises(DataError, match=r"all images of animals are of one class \(dog\)"):
        built(spec=dataclasses.replace(SPEC, class_counts=(0, 4, 0)))
