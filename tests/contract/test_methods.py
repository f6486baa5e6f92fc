"""What holds for every registered method, whatever its paper: it builds at any shape, its losses are pure, its images
belong to their seeds, its settings survive a file."""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ganvas.abilities import (
    Encodes,
    HasDiscriminator,
    HasLikelihood,
    Likelihood,
    Restores,
    Samples,
    Stylises,
    Tokenizes,
    offers,
)
from ganvas.data.batch import as_image_tensor
from ganvas.data.feed import Window, examples_of
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.metrics.attributes import find_attribute
from ganvas.registry import create, find, method_names, presets
from ganvas.sampling import sample, to_uint8
from ganvas.settings import settings_of
from ganvas.strict_json import dumps
from ganvas.tasks import audit, augment, explain, invert
from ganvas.tasks import sample as sample_images
from ganvas.tasks.augment import class_conditional_methods, conditional_settings
from ganvas.tasks.directions import measure_samples, moved, principal_directions, probed_direction
from ganvas.tasks.latents import editable, points_of, space_of, synthesised
from parts import Shape, data_for, images, shapes_of, small, trainer_for

NAMES = method_names()
PRESETS = [(name, preset) for name in NAMES for preset in presets(name)]
CHOICES = [  # but those of the preset `tiny`, which the tests of steps train
    (name, key, choice)
    for name in NAMES
    for key, known in settings_of(find(name)).items()
    for choice in known.choices or ()
    if choice != getattr(small(name), key)
]
all_methods = pytest.mark.parametrize("name", NAMES)


def in_shapes(names: list[str]) -> pytest.MarkDecorator:
    cases = [(name, shape) for name in names for shape in shapes_of(name)]
    return pytest.mark.parametrize(
        ("name", "shape"), cases, ids=[f"{'x'.join(map(str, shape))}-{name}" for name, shape in cases]
    )


def having(ability: type) -> list[str]:
    return [name for name in NAMES if issubclass(find(name), ability)]


samplers = pytest.mark.parametrize("name", having(Samples))
IMAGE_SAMPLERS = [name for name in having(Samples) if "images" in find(name).takes]


def built(name: str, shape: Shape = (1, 28, 28)) -> Method:
    method = small(name)
    torch.manual_seed(0)
    method.build(data_for(name, shape).spec)
    return method.eval().requires_grad_(False)


def test_the_seven_papers_are_here() -> None:
    assert {"dcgan", "gan", "hinge_sn", "lsgan", "r3gan", "wgan", "wgan_gp"} <= set(NAMES)


@all_methods
def test_a_step_in_bf16(name: str) -> None:
    """Mixed precision is the loop's business: images of G come as bf16, real ones as fp32, weights stay fp32."""
    trainer = trainer_for(small(name))
    trainer.engine = replace(trainer.engine, precision="bf16")
    for _ in range(2):
        trainer.step()
    assert all(torch.isfinite(value).all() and value.dtype == torch.float32 for value in trainer.method.parameters())


# --- updates ------------------------------------------------------------------------------------------------------------


@in_shapes(NAMES)
def test_an_update_moves_what_it_trains_and_nothing_else(name: str, shape: Shape) -> None:
    trainer = trainer_for(small(name), data_for(name, shape))
    updates = trainer.updates
    for update in updates:
        trained = {
            id(parameter) for group in trainer.optimizers[update.trains].param_groups for parameter in group["params"]
        }
        before = {key: value.clone() for key, value in trainer.method.named_parameters()}
        trainer.method.zero_grad(set_to_none=True)
        trainer.updates, trainer.steps = [update], 0  # step 0: the lazy ones are due as well
        trainer.step()
        moved = {key for key, value in trainer.method.named_parameters() if not torch.equal(value, before[key])}
        allowed = {key for key, value in trainer.method.named_parameters() if id(value) in trained}
        assert moved, f"{update.name} moves nothing"
        assert moved <= allowed, f"{update.name} trains {update.trains} and moves {moved - allowed}"
        gradients = {
            key
            for key, value in trainer.method.named_parameters()
            if id(value) not in trained and value.grad is not None
        }
        assert not gradients, f"{update.name} collects gradients for {gradients}"


@in_shapes(NAMES)
def test_steps_keep_everything_finite(name: str, shape: Shape) -> None:
    trainer = trainer_for(small(name), data_for(name, shape))
    for _ in range(3):
        trainer.step()
    assert trainer.steps == 3
    assert set(trainer.reports) == {update.name for update in trainer.updates}
    assert all(np.isfinite(value) for value in trainer.numbers().values())
    assert all(torch.isfinite(value).all() for value in trainer.method.state_dict().values())


@all_methods
def test_no_parameter_is_trained_twice_or_never(name: str) -> None:
    trainer = trainer_for(small(name))
    groups = [group["params"] for optimizer in trainer.optimizers.values() for group in optimizer.param_groups]
    trained = [id(parameter) for group in groups for parameter in group]
    method = trainer.method
    frozen = {id(parameter) for part in method.frozen for parameter in method.get_submodule(part).parameters()}
    assert sorted(trained) == sorted(id(parameter) for parameter in method.parameters() if id(parameter) not in frozen)


@pytest.mark.parametrize("name", [name for name in NAMES if find(name).frozen])
def test_what_is_frozen_never_trains(name: str) -> None:
    method = trainer_for(small(name)).method
    for part in method.frozen:
        network = method.get_submodule(part)
        assert method.training and not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(("name", "key", "choice"), CHOICES, ids=str)
def test_every_choice_of_every_setting_trains(name: str, key: str, choice: str) -> None:
    trainer = trainer_for(small(name, **{key: choice}))
    trainer.step()
    assert all(np.isfinite(value) for value in trainer.numbers().values())


# --- images -----------------------------------------------------------------------------------------------------------


@in_shapes(IMAGE_SAMPLERS)
def test_images_have_the_shape_of_the_data(name: str, shape: Shape) -> None:
    method = built(name, shape)
    assert isinstance(method, Samples)
    made = sample(method, 3, seed=0)
    assert made.shape == (3, *shape) and made.dtype == torch.float32
    assert made.min() >= -1 and made.max() <= 1
    assert not torch.equal(made[0], made[1]), "another seed, another image"
    channels, height, width = shape
    assert to_uint8(made).shape == (3, height, width, channels)


@samplers
def test_an_image_belongs_to_its_seed(name: str) -> None:
    """Not to how many are made, nor to its place among them."""
    method = built(name)
    many = sample(method, 80, seed=0)
    assert torch.equal(sample(method, 1, seed=70)[0], many[70])
    assert torch.equal(sample(method, 9, seed=60), many[60:69])
    assert torch.equal(method.latents([5, 3])[0], method.latents(range(64))[5])  # pyright: ignore


@in_shapes([name for name in having(Samples) if offers(find(name), Samples.latent_spaces)])
def test_latent_spaces_give_the_images_of_sampling(name: str, shape: Shape) -> None:
    """To the bit, with a finite gradient on each point; the codes behind the free numbers are those of the latent."""
    method = built(name, shape)
    assert isinstance(method, Samples)
    latents, labels = method.latents(range(64)), method.labels(range(64))
    expected = method.generate(latents) if labels is None else method.generate(latents, labels)
    spaces = method.latent_spaces()
    assert len({space.name for space in spaces}) == len(spaces) >= 1
    for space in spaces:
        points = space.map(latents, labels).detach().requires_grad_()
        assert points.ndim == (3 if space.layers else 2) and 1 <= space.free <= points.shape[-1]
        images = space.synthesise(points, labels, [])
        assert torch.equal(images.detach().clamp(-1, 1), expected), space.name
        (gradient,) = torch.autograd.grad(images[:2].square().sum(), points)
        assert bool(torch.isfinite(gradient).all()) and bool(gradient[:2, ..., : space.free].any()), space.name
        assert not gradient[2:].any(), "an image depends on its own point alone"


@pytest.mark.parametrize("name", [name for name in IMAGE_SAMPLERS if offers(find(name), Samples.latent_spaces)])
def test_images_are_edited_and_inverted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every space: directions of unit length over what is free, an edit and back, a generated image that comes nearer."""
    monkeypatch.setattr(
        sys.modules["ganvas.tasks.invert"], "START_CANDIDATES", 64
    )  # as an attribute of the package it is the function
    method = built(name)
    method.spec = data_for(name).spec
    for space in editable(method).latent_spaces():
        measured = measure_samples(method, space, [find_attribute("brightness")], 32)
        found = [
            *principal_directions(method, space, 2, of="images", samples=32),
            probed_direction(measured, "brightness"),
        ]
        points = points_of(method, space, [3])
        for direction in found:
            assert float(direction.vector.norm()) == pytest.approx(1, abs=1e-4) and direction.scale > 0
            assert not direction.vector[..., space.free :].any()
            there = moved(space, points, [(direction, 1.5)])
            back = moved(space, there, [(direction, -1.5)])
            torch.testing.assert_close(back.values, points.values, atol=1e-5, rtol=1e-4)
            assert not np.array_equal(synthesised(method, space, there), synthesised(method, space, points))
    target = synthesised(method, space_of(method), points_of(method, space_of(method), [5]))
    labels = points_of(method, space_of(method), [5]).labels
    known = None if labels is None else labels.numpy()
    start, found_point = (invert(method, target, known, steps=steps, reference=0, feature_weight=0) for steps in (1, 6))
    assert found_point.psnr[0] >= start.psnr[0] - 1 and np.isfinite(found_point.feature_distance).all()


@pytest.mark.parametrize("name", [name for name in NAMES if not offers(find(name), Samples.latent_spaces)])
def test_what_cannot_be_edited_says_so(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} has no latent space in which images can be edited .*r3gan"):
        invert(built(name), np.zeros((1, 28, 28, 1), np.uint8))


@pytest.mark.parametrize("name", IMAGE_SAMPLERS)
def test_images_are_explained(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that the abilities allow, and a note for each that they do not."""
    module = sys.modules["ganvas.tasks.explain"]
    monkeypatch.setattr(module, "MAX_DIMENSIONS", 3)
    monkeypatch.setattr(module, "SALIENCY_IMAGES", 2)
    monkeypatch.setattr(sys.modules["ganvas.tasks.saliency"], "OCCLUSION_SQUARES", 2)
    monkeypatch.setattr(sys.modules["ganvas.tasks.units"], "MAX_CANDIDATES", 8)
    monkeypatch.setattr(sys.modules["ganvas.tasks.units"], "ESTIMATE_PROJECTIONS", 1)
    method, data = built(name), data_for(name)
    method.spec = data.spec
    found = explain(method, data, count=8, units=2)
    editable_here = offers(method, Samples.latent_spaces)
    assert bool(found.units) == bool(found.layers) == bool(found.dimensions) == editable_here
    assert all(np.isfinite([one.ablated.change, one.forced.change, one.value]).all() for one in found.units)
    assert any(one.outcome.change > 0 for one in found.dimensions) == editable_here
    kinds = ["training", "training", "held-out", "held-out", "generated", "generated"]
    assert [one.kind for one in found.saliency] == (kinds if isinstance(method, HasDiscriminator) else [])
    assert all(one.gradient.shape == one.occlusion.shape == (28, 28) for one in found.saliency)
    assert len(found.neighbours) == 6
    missing = (not editable_here) + (not isinstance(method, HasDiscriminator))
    assert sum(note.startswith(("no units", "no saliency")) for note in found.notes) == missing
    dumps(found.as_dict())


@pytest.mark.parametrize("name", IMAGE_SAMPLERS)
def test_images_are_audited(name: str) -> None:
    """Every membership test that the abilities allow. Its training images, given as samples, are all found."""
    method, data = built(name), images(count=120)
    method.spec = data.spec
    found = audit(method, data, count=4, tries=2)
    tests = ["nearest sample"]
    if isinstance(method, HasDiscriminator):
        tests.append("discriminator")
    if isinstance(method, (Encodes, Tokenizes)):
        tests.append("reconstruction")
    if isinstance(method, HasLikelihood):
        tests.append("likelihood")
    assert [one.test for one in found.membership] == tests
    assert all(0 <= one.auc.low <= one.auc.value <= one.auc.high <= 1 for one in found.membership)
    assert found.n == len(found.pairs) == 4 and not found.exact, "noise is nobody's copy"
    assert isinstance(method, Samples)
    conditional = method.labels(range(1)) is not None
    assert [one.tries for one in found.extraction] == ([2, 2, 2] if conditional else [])
    assert any(note.startswith("no extraction by class") for note in found.notes) != conditional
    copied = audit(method, data, np.array(data.images[:4]), tries=0)
    assert (copied.copies, copied.exact, copied.originals) == (4, 4, 4)
    dumps(found.as_dict())


@pytest.mark.parametrize("name", class_conditional_methods())
def test_labelled_images_are_generated(name: str) -> None:
    """The image of a class and a seed is that of sampling; the counts are of what was generated."""
    data = data_for(name)
    method = small(name, **conditional_settings(name))
    torch.manual_seed(0)
    method.build(data.spec)
    method.spec = data.spec
    method.eval().requires_grad_(False)
    made = augment(method, data, per_class=2, seed=5, check=False)
    assert made.images.shape == (6, 28, 28, 1) and made.images.dtype == np.uint8
    assert made.labels.tolist() == [0, 0, 1, 1, 2, 2] and made.seeds.tolist() == [5, 6] * 3
    assert [(one.label, one.generated, one.kept) for one in made.counts] == [(one, 2, 2) for one in data.spec.classes]
    again = np.asarray(sample_images(method, 1, seed=6, label=2))
    assert np.array_equal(made.images[5], again[0])
    dumps(made.as_dict())


@samplers
def test_sampling_leaves_the_random_state_alone(name: str) -> None:
    method, before = built(name), torch.get_rng_state()
    sample(method, 2, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


# --- other abilities ----------------------------------------------------------------------------------------------------


@in_shapes(having(HasLikelihood))
def test_a_likelihood_belongs_to_example_and_seed(name: str, shape: Shape) -> None:
    """One finite number an example, the same again from the same generator, whatever else the process drew."""
    method, held = built(name, shape), data_for(name, shape).part("test")
    assert isinstance(method, HasLikelihood) and held is not None
    batch, outside = examples_of(held, np.arange(4), window=Window(8)), torch.get_rng_state()

    def asked(seed: int) -> Likelihood:
        return method.likelihood(batch.real, batch.label, samples=2, generator=torch.Generator().manual_seed(seed))

    found = asked(0)
    assert found.nats.shape == (4,) and bool(torch.isfinite(found.nats).all())
    assert found.unit in ("nats", "bits_per_dim", "bits_per_character", "bits_per_sample")
    assert torch.equal(asked(0).nats, found.nats)
    assert torch.equal(torch.get_rng_state(), outside)


@in_shapes(having(Encodes))
def test_codes_of_images_are_latents(name: str, shape: Shape) -> None:
    method = built(name, shape)
    assert isinstance(method, Encodes) and isinstance(method, Samples)
    codes = method.encode(sample(method, 3, seed=0), method.labels(range(3)))
    assert codes.shape == method.latents(range(3)).shape and bool(torch.isfinite(codes).all())


@in_shapes(having(Tokenizes))
def test_codes_are_whole_numbers_of_the_grids(name: str, shape: Shape) -> None:
    """A code belongs to its image, an image to its codes, whatever else is in the batch."""
    method = built(name, shape)
    assert isinstance(method, Tokenizes)
    x = as_image_tensor(data_for(name, shape).images[:5])
    codes, sizes = method.to_codes(x), [grid.size for grid in method.grids() for _ in range(grid.height * grid.width)]
    assert codes.shape == (5, len(sizes)) and codes.dtype == torch.int64
    assert bool((codes >= 0).all()) and bool((codes < torch.tensor(sizes)).all())
    generated = method.from_codes(codes)
    assert generated.shape == x.shape and generated.min() >= -1 and generated.max() <= 1
    assert torch.equal(method.to_codes(x.flip(0)).flip(0), codes)
    assert torch.equal(method.from_codes(codes.flip(0)).flip(0), generated)


@in_shapes(having(Restores))
def test_what_is_intact_stays_to_the_bit(name: str, shape: Shape) -> None:
    method = built(name, shape)
    assert isinstance(method, Restores)
    about = method.restoration()
    if about.degradation != "holes":
        return
    x, hole = as_image_tensor(data_for(name, shape).images[:3]), torch.zeros(3, 1, *shape[1:])
    hole[..., 4:20, 6:18] = 1
    outside = torch.get_rng_state()

    def restored(count: int, seed: int = 0) -> torch.Tensor:
        return method.restore(x[:count], hole[:count], generator=torch.Generator().manual_seed(seed))

    whole = restored(3)
    assert whole.shape == x.shape and whole.min() >= -1 and whole.max() <= 1
    assert torch.equal(torch.where(hole > 0, x, whole), x)
    assert torch.equal(restored(3), whole) and torch.equal(restored(1)[0], whole[0])
    assert about.answers == (not torch.equal(restored(3, seed=1), whole))
    assert torch.equal(torch.get_rng_state(), outside)


@in_shapes(having(Stylises))
def test_a_stylised_image_is_as_large(name: str, shape: Shape) -> None:
    """At any multiple of what the method says, in [-1, 1], the same at each call; a style it cannot use, or lacks, is told."""
    method = built(name, shape)
    assert isinstance(method, Stylises)
    content = torch.rand(2, shape[0], 3 * method.multiple(), 2 * method.multiple()) * 2 - 1
    style = torch.rand(1, shape[0], 21, 33) * 2 - 1
    refused = 0
    for told in (None, style):
        try:
            made = method.stylise(content, told)
        except UsageError:
            refused += 1
            continue
        assert made.shape == content.shape and made.abs().max() <= 1
        assert torch.equal(method.stylise(content, told), made)
        assert not torch.equal(method.stylise(content, told, strength=0.0), made)
    assert refused <= 1


# --- settings and words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "preset"), PRESETS, ids=str)
def test_settings_of_a_preset_survive_a_file(name: str, preset: str) -> None:
    method = create(name, preset)
    again = create(name, None, json.loads(dumps(method.settings())))
    assert again.settings() == method.settings()
    assert (
        create(name, None, {key: str(value) for key, value in method.settings().items()}).settings()
        == method.settings()
    )


@all_methods
def test_an_unknown_setting_is_told_with_the_nearest(name: str) -> None:
    with pytest.raises(UsageError, match="unknown setting batch_sise; did you mean batch_size"):
        create(name, None, {"batch_sise": 8})
    with pytest.raises(UsageError, match=r"batch_size must be >= \d.*got 0"):
        create(name, None, {"batch_size": 0})
    with pytest.raises(UsageError, match="lr must be a finite number"):
        create(name, None, {"lr": float("nan")})


@all_methods
def test_an_unknown_preset_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} has no preset tinny"):
        create(name, "tinny")


def test_an_unknown_method_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown method dcgna; did you mean dcgan"):
        create("dcgna")


@all_methods
def test_a_method_explains_itself(name: str) -> None:
    """Its file says idea and departures; its class names the paper; each setting and preset has words."""
    cls = find(name)
    page = sys.modules[cls.__module__].__doc__ or ""
    assert "Idea:" in page and "Departs from the paper:" in page
    assert cls.title and ("arXiv:" in cls.paper or "doi" in cls.paper.lower())
    assert all(len(known.help) > 3 for known in settings_of(cls).values())
    assert set(cls.averaged) and all(isinstance(part, str) for part in cls.averaged)


@all_methods
def test_a_method_has_a_preset_of_seconds(name: str) -> None:
    assert "tiny" in presets(name)


@pytest.mark.parametrize(("name", "preset"), PRESETS, ids=str)
def test_presets_are_valid_and_say_what_they_cost(name: str, preset: str) -> None:
    make = presets(name)[preset]
    assert len(inspect.getdoc(make) or "") > 10
    method = make()
    assert isinstance(method, find(name))
    assert method.with_settings(method.settings()).settings() == method.settings()  # every value passes its own check
    with torch.device("meta"):  # shapes without numbers: the large ones cost nothing
        method.build(data_for(name).spec)
    assert sum(parameter.numel() for parameter in method.parameters()) > 0


@all_methods
def test_presets_differ_from_each_other(name: str) -> None:
    made = [json.dumps(make().settings(), sort_keys=True) for make in presets(name).values()]
    assert len(set(made)) == len(made)
