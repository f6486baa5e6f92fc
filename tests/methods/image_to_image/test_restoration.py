"""srresnet, srgan, denoise and inpaint: what defines each, and that a minute part of a training already restores images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.abilities import Demonstrates, Restores, offers
from ganvas.data import Dataset, open_data
from ganvas.data.batch import Batch, as_image_tensor
from ganvas.data.degrade import upscaled
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.method import Method
from ganvas.networks.dncnn import DnCNN
from ganvas.networks.features.mobilenet import has_mobilenet_weights
from ganvas.networks.inpainter import (
    STIFFNESS,
    GatedInpainter,
    initially_filled,
    neighbours,
    smoothly_filled,
    sweeps,
)
from ganvas.networks.srresnet import SRResNet
from ganvas.registry import create, find, method_names
from ganvas.run import Run
from ganvas.settings import settings_of
from parts import Crash, CrashAfterSaving, images, small, train_small, trainer_for, weights

RESTORERS = [name for name in method_names() if issubclass(find(name), Restores)]
OURS = ("denoise", "inpaint", "srgan", "srresnet")
SPEC = DataSpec("shapes", 3, 24, 24, 100)


def shapes(tmp_path: Path, count: int = 240) -> Dataset:
    """Images of 24 x 24 with three rectangles of one colour each: sharp edges, plain areas."""
    random = np.random.default_rng(0)
    images = np.empty((count, 24, 24, 3), np.uint8)
    for image in images:
        image[:] = random.integers(0, 256, 3)
        for _ in range(3):
            top, left = random.integers(0, 20, 2)
            image[top : top + random.integers(4, 16), left : left + random.integers(4, 16)] = random.integers(0, 256, 3)
    np.savez(tmp_path / "shapes.npz", images=images)
    return open_data(tmp_path / "shapes.npz", cache=tmp_path / "cache")


def held_out(data: Dataset) -> Tensor:
    test = data.part("test")
    assert test is not None
    return as_image_tensor(test.images)


def batch_of(images: Tensor, seed: int = 0) -> Batch:
    return Batch(images, generator=torch.Generator().manual_seed(seed))


def trained(method: Method, data: Dataset, steps: int) -> Method:
    trainer = trainer_for(method, data, steps=steps)
    for _ in range(steps):
        trainer.step()
    return trainer.average.method.eval().requires_grad_(False)


def built(name: str, **settings: object) -> Method:
    method = small(name, **settings)
    torch.manual_seed(0)
    method.setup(SPEC)
    return method


def error(made: Tensor, target: Tensor) -> float:
    return float((made - target).square().mean())


# --- a tiny training restores ------------------------------------------------------------------------------------------------


def test_srresnet_learns_edges_that_bicubic_has_not(tmp_path: Path) -> None:
    data = shapes(tmp_path)
    method = trained(
        create("srresnet", "tiny", {"width": 16, "blocks": 4, "loss": "l2", "lr": 8e-3, "ema": 0.95}), data, 250
    )
    assert isinstance(method, Restores)
    degraded = method.degrade(batch_of(held_out(data)))
    bicubic, ours = error(degraded.start, degraded.whole), error(method.restore(degraded.image), degraded.whole)
    assert ours < 0.6 * bicubic, f"{ours} against {bicubic}: 2.2 dB were asked for"


def test_denoise_takes_most_of_the_noise_away(tmp_path: Path) -> None:
    data = shapes(tmp_path)
    settings = {"width": 24, "depth": 6, "lr": 8e-3, "ema": 0.95, "sigma_min": 25, "sigma_max": 25}
    method = trained(create("denoise", "tiny", settings), data, 150)
    whole = held_out(data)
    noisy = method.degraded(whole, batch_of(whole))  # pyright: ignore
    assert error(method.restore(noisy), whole) < 0.4 * error(noisy, whole)  # pyright: ignore


def test_inpaint_knows_more_than_the_mean(tmp_path: Path) -> None:
    data = shapes(tmp_path)
    method = trained(create("inpaint", "tiny", {"width": 8, "lr": 4e-3, "ema": 0.95, "holes": "strokes"}), data, 150)
    whole = held_out(data)
    mask = method.masks(batch_of(whole)).expand_as(whole) > 0  # pyright: ignore
    filled = method.restore(whole, mask[:, :1].float())  # pyright: ignore
    means = torch.stack([one[:, ~hole[0]].mean(1) for one, hole in zip(whole, mask, strict=True)])
    plain = torch.where(mask, means[:, :, None, None], whole)
    assert error(filled[mask], whole[mask]) < 0.6 * error(plain[mask], whole[mask])


# --- what holds for all that restore --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RESTORERS)
def test_the_contract_of_restoring(name: str) -> None:
    """Sizes, range, holes to the bit, and one image belongs to its generator, not to its neighbours."""
    method = built(name).eval().requires_grad_(False)
    assert isinstance(method, Restores)
    told = method.restoration()
    assert told.degradation in ("noise", "resolution", "holes")
    assert told.scale == 1 or told.degradation == "resolution"
    random = torch.Generator().manual_seed(0)
    degraded = torch.rand(2, 3, 24, 24, generator=random) * 2 - 1
    mask = (torch.rand(2, 1, 24, 24, generator=random) < 0.3).float() if told.degradation == "holes" else None

    def restored(n: int) -> Tensor:
        generator = torch.Generator().manual_seed(5)
        return method.restore(degraded[:n], None if mask is None else mask[:n], generator=generator)

    made = restored(2)
    assert made.shape == (2, 3, 24 * told.scale, 24 * told.scale) and made.dtype == torch.float32
    assert made.min() >= -1 and made.max() <= 1
    assert_close(restored(1), made[:1], atol=1e-5, rtol=0)
    if mask is not None:
        kept = (mask == 0).expand_as(degraded)
        assert torch.equal(made[kept], degraded[kept])


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (17, 18)])
def test_any_size(name: str, size: tuple[int, int]) -> None:
    method = built(name).eval().requires_grad_(False)
    assert isinstance(method, Restores)
    mask = torch.ones(1, 1, *size) if method.restoration().degradation == "holes" else None
    made = method.restore(torch.zeros(1, 3, *size), mask)
    assert made.shape[2:] == tuple(side * method.restoration().scale for side in size)


@pytest.mark.parametrize("name", OURS)
def test_rows_are_input_answer_and_truth(name: str) -> None:
    method = built(name).eval().requires_grad_(False)
    assert isinstance(method, Restores)
    real = torch.rand(4, 3, 24, 24) * 2 - 1
    assert isinstance(method, Demonstrates)
    rows = method.rows(batch_of(real))
    assert rows.shape == (4, 3, 3, 24, 24)
    assert torch.equal(rows[:, 2], real) and not torch.equal(rows[:, 0], real)


@pytest.mark.parametrize("name", OURS)
def test_damage_is_what_restoring_takes(name: str) -> None:
    """Its size, its range of an image, what a fresh network starts from; and the batch's draws decide all of it."""
    method = built(name).eval().requires_grad_(False)
    assert isinstance(method, Restores)
    real = torch.rand(3, 3, 24, 24) * 2 - 1
    degraded, again = method.degrade(batch_of(real)), method.degrade(batch_of(real))
    told = method.restoration()
    assert torch.equal(degraded.image, again.image) and torch.equal(degraded.whole, real)
    assert degraded.image.shape == (3, 3, 24 // told.scale, 24 // told.scale)
    assert (degraded.mask is None) == (told.degradation != "holes")
    fresh = method.restore(degraded.image, degraded.mask)  # the last convolution of each is drawn at 0
    assert_close(fresh, degraded.start.clamp(-1, 1), atol=1e-5, rtol=0)


# --- networks ---------------------------------------------------------------------------------------------------------------


def test_the_order_of_the_pixel_shuffle() -> None:
    """Channel c * scale^2 + i * scale + j of a place becomes row i and column j of its square in channel c."""
    network = SRResNet(2, 2, width=4, blocks=0, base=False, tail="direct")
    last = network.tail[0]
    with torch.no_grad():
        last.weight.zero_()  # pyright: ignore
        last.bias.copy_(torch.arange(8.0))  # pyright: ignore
    made = network(torch.zeros(1, 2, 1, 2))
    assert made[0, 0].tolist() == [[0, 1, 0, 1], [2, 3, 2, 3]] and made[0, 1].tolist() == [[4, 5, 4, 5], [6, 7, 6, 7]]


@pytest.mark.parametrize("tail", ["direct", "staged"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_super_resolution_starts_at_bicubic(tail: str, scale: int) -> None:
    x = torch.rand(2, 3, 5, 7) * 2 - 1
    assert_close(SRResNet(3, scale, width=4, blocks=1, tail=tail)(x), upscaled(x, scale))
    assert SRResNet(3, scale, width=4, blocks=1, tail=tail, base=False)(x).shape == (2, 3, 5 * scale, 7 * scale)


def test_a_fresh_denoiser_takes_nothing_away() -> None:
    x = torch.rand(2, 3, 9, 11)
    for fold in (1, 2, 3):
        assert torch.equal(DnCNN(3, width=4, depth=3, fold=fold)(x), x)


def test_a_smooth_filling_worked_by_hand() -> None:
    """A row of four whose third, v, is missing, and rows like it above and below. B is v / 2 - 1.5 at v, (3 - v) / 4 and
    1 - v / 4 beside it, so B B is 0.375 v - 1.1875. A sweep of length a takes a of B + STIFFNESS B B away, which is 0 at 3.125.
    The pairs' means are 1.5 and 4."""
    row = torch.tensor([[[[1.0, 2.0, 99.0, 4.0]]]])
    mask = torch.tensor([[[[0.0, 0.0, 1.0, 0.0]]]])
    slope = 0.5 + 0.375 * STIFFNESS
    rest = (1.5 + 1.1875 * STIFFNESS) / slope
    start = 0.25 * 1.5 + 0.75 * 4  # bilinear, a quarter of a pixel from the pair's middle
    expected = rest + (start - rest) * math.prod(1 - length * slope for length in sweeps(STIFFNESS))
    assert rest == 3.125
    assert_close(smoothly_filled(row, mask)[0, 0, 0], torch.tensor([1.0, 2.0, expected, 4.0]))
    assert not smoothly_filled(row, torch.ones_like(mask)).any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(2, 3, 13, 9), (1, 1, 1, 5)])
def test_neighbours_at_the_border_repeat_it(size: tuple[int, int, int, int], layout: torch.memory_format) -> None:
    """To the last bit what a padded image gives."""
    x = torch.randn(size, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=layout)
    padded = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    rows, columns = padded[:, :, :, 1:-1], padded[:, :, 1:-1]
    four = rows[:, :, :-2] + rows[:, :, 2:] + columns[:, :, :, :-2] + columns[:, :, :, 2:]
    assert torch.equal(neighbours(x), four / 4)


def test_a_filling_leaves_what_is_there() -> None:
    x = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 12, 12)
    mask[:, :, 3:9, 2:8] = 1
    filled = smoothly_filled(x, mask)
    assert torch.equal(torch.where(mask == 0, filled, 0), torch.where(mask == 0, x, 0))
    assert not torch.equal(filled, x)


def test_a_slope_goes_on_through_a_hole() -> None:
    """Each pixel of a plane is the mean of its neighbours, so the filling is exact but for the sweeps that are saved;
    means of the rim would be off by half of the hole."""
    slope = torch.linspace(-1, 1, 32).expand(1, 1, 32, 32) + torch.linspace(-0.5, 0.5, 32)[:, None]
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 10:22] = 1
    assert float((smoothly_filled(slope, mask) - slope).abs().max()) < 0.01
    assert float(slope[mask > 0].max() - slope[mask > 0].min()) > 1


@pytest.mark.parametrize("slant", [0.0, 0.6, -1.0])
def test_an_edge_goes_on_through_a_hole(slant: float) -> None:
    """Dark on one side of a line and bright on the other; a slope, whose diffusion is 0 in all directions, stays."""
    rows, columns = torch.arange(48.0)[:, None] - 24, torch.arange(48.0) - 24
    image = ((columns + slant * rows + 0.5) / 2).clamp(-1, 1)[None, None]
    mask = torch.zeros(1, 1, 48, 48)
    mask[..., 20:28, 18:30] = 1
    smooth, filled = smoothly_filled(image, mask), initially_filled(image, mask)
    assert torch.equal(filled[mask == 0], image[mask == 0])
    assert error(filled, image) < 0.5 * error(smooth, image)
    slope = (columns + slant * rows)[None, None] / 48
    assert float((initially_filled(slope, mask) - slope).abs().max()) < 0.01


def test_a_fresh_inpainter_restores_its_baseline() -> None:
    """Its network adds 0, so what it restores is the filling without training, cosines included; `cosines` is their share."""
    images = torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    results = {}
    for share in (0.0, 0.5, 1.0):
        method = built("inpaint", cosines=share)
        assert isinstance(method, Restores)
        degraded = method.degrade(Batch(images, generator=torch.Generator().manual_seed(0)))
        assert degraded.mask is not None
        results[share] = method.restore(degraded.image, degraded.mask)
        assert_close(results[share], degraded.start, atol=1e-5, rtol=0)
    assert_close(results[0.5], (results[0.0] + results[1.0]) / 2, atol=1e-5, rtol=0)
    assert not torch.allclose(results[1.0], results[0.0], atol=0.01)


def test_what_stands_in_the_hole_is_never_looked_at() -> None:
    network = GatedInpainter(1, width=4)
    nn.init.normal_(network.last.weight)
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:9, 5:12] = 1
    network(x, mask).sum().backward()
    assert x.grad is not None
    assert not x.grad[mask > 0].any() and x.grad[mask == 0].any()
    assert bool(torch.isfinite(network(torch.full((1, 1, 16, 16), float("nan")), torch.ones(1, 1, 16, 16))).all())


# --- each by itself -------------------------------------------------------------------------------------------------------


def test_the_two_phases_of_srgan(tmp_path: Path) -> None:
    """Pixels first, then both networks; the end of the first phase is kept, and the way between both is straight."""
    trainer = trainer_for(small("srgan", first_phase=0.5, ema=0.0), shapes(tmp_path, 60), steps=8)
    method = trainer.method
    names = []
    for _ in range(8):
        trainer.reports.clear()
        trainer.step()
        names.append(sorted(trainer.reports))
        if trainer.steps == 4:
            first = [part.detach().clone() for part in method.G.parameters()]  # pyright: ignore
    assert names == [["pixels"]] * 4 + [["discriminator", "generator"]] * 4
    assert isinstance(method, Restores) and offers(method, Restores.interpolated)
    last = list(method.G.parameters())  # pyright: ignore
    for share in (0.0, 0.25, 1.0):
        mixed = method.interpolated(share).G.parameters()  # pyright: ignore
        for a, b, c in zip(first, mixed, last, strict=True):  # pyright: ignore[reportPossiblyUnboundVariable]
            assert_close(b, a + share * (c - a))
    assert any(not torch.equal(a, c) for a, c in zip(first, last, strict=True))  # pyright: ignore[reportPossiblyUnboundVariable]


def test_a_phase_that_is_over_is_no_longer_told(tmp_path: Path) -> None:
    trainer = trainer_for(small("srgan", first_phase=0.5), shapes(tmp_path, 60), steps=4)
    told = []
    for _ in range(4):
        trainer.step()
        told.append({name.split("/")[0] for name in trainer.numbers()})
    assert told == [{"pixels"}] * 2 + [{"generator", "discriminator"}] * 2


def test_the_average_of_the_first_phase_is_the_one_that_is_kept(tmp_path: Path) -> None:
    trainer = trainer_for(small("srgan", first_phase=0.5, ema=0.8), shapes(tmp_path, 60), steps=12)
    while trainer.steps < 6:
        trainer.step()
    averaged = list(trainer.average.method.G.parameters())  # pyright: ignore
    kept = trainer.method.interpolated(0.0).G.parameters()  # pyright: ignore
    for a, b in zip(averaged, kept, strict=True):
        assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_inpaint_hears_the_discriminator_in_its_second_phase(tmp_path: Path) -> None:
    trainer = trainer_for(small("inpaint", first_phase=0.5), shapes(tmp_path, 60), steps=4)
    names = []
    for _ in range(4):
        trainer.reports.clear()
        trainer.step()
        names.append(sorted(trainer.reports))
    assert names == [["pixels"]] * 2 + [["discriminator", "filler"]] * 2


def test_step_sizes_fall_in_each_phase() -> None:
    method = create("srgan", None, {"first_phase": 0.4, "lr": 1e-3, "second_lr": 1e-4, "decay": "linear", "warmup": 0})
    factors = [method.schedule(progress, 0) for progress in (0.0, 0.2, 0.4, 0.7, 1.0)]
    assert factors == pytest.approx([1, 0.5, 0.1, 0.05, 0])


def test_without_a_first_phase_there_is_nothing_to_blend() -> None:
    with pytest.raises(UsageError, match="first_phase=0"):
        built("srgan").interpolated(0.5)  # pyright: ignore


def test_the_feature_network_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="perceptual must be one of discriminator, none, digits, efficientnet_lite0, mobilenet_v2"
    ):
        built("srgan", perceptual="vgg")
    for name in ("GANVAS_WEIGHTS", "GANVAS_CACHE", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("ganvas.networks.features.weights._packaged", lambda weights: [])
    used = built("srgan", perceptual="mobilenet_v2")
    assert used.restore(torch.zeros(1, 3, 6, 6)).shape == (1, 3, 12, 12), "only training needs it"  # pyright: ignore
    with pytest.raises(GanvasError, match="perceptual=discriminator"):
        used.load_frozen(torch.device("cpu"))


@pytest.mark.parametrize("name", ["srgan", "srresnet"])
def test_a_kernel_without_a_middle_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"kernel must be odd \(got 4\)"):
        built(name, kernel=4)


@pytest.mark.skipif(not has_mobilenet_weights(), reason="MobileNetV2's weights are not on this machine")
def test_features_of_mobilenet_stay_out_of_the_weights(tmp_path: Path) -> None:
    method = small("srgan", perceptual="mobilenet_v2")
    trainer = trainer_for(method, shapes(tmp_path, 40))
    trainer.step()
    assert trainer.numbers()["generator/features"] > 0
    assert not [key for key in method.state_dict() if "extractor" in key]


@pytest.mark.parametrize("kind", ["gaussian", "poisson", "salt_and_pepper", "jpeg", "mix"])
def test_damage_of_each_kind(kind: str) -> None:
    method = built("denoise", kind=kind)
    rough = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    whole = upscaled(rough, 3)
    degraded = method.degraded(whole, batch_of(whole))  # pyright: ignore
    strengths = (degraded - whole).square().mean((1, 2, 3))
    assert bool(torch.isfinite(degraded).all()) and strengths.max() > 3 * strengths.min(), "the strength differs"
    assert torch.equal(method.degraded(whole, batch_of(whole)), degraded)  # pyright: ignore


def test_gaussian_strengths_cover_the_range_that_is_set() -> None:
    method = built("denoise", sigma_min=10, sigma_max=40)
    whole = torch.zeros(400, 3, 24, 24)
    sigmas = method.degraded(whole, batch_of(whole)).std((1, 2, 3)) * 127.5  # pyright: ignore
    assert sigmas.min() == pytest.approx(10, abs=1) and sigmas.max() == pytest.approx(40, abs=2)
    assert float(sigmas.mean()) == pytest.approx(25, abs=1.5)


# --- super-resolution of photos ---------------------------------------------------------------------------------------------


def test_a_preset_for_photos_learns_more_than_to_enlarge(tmp_path: Path) -> None:
    """On degraded shapes it is above bicubic; trained as long on clean ones it is 2 % below."""
    data = shapes(tmp_path)
    method = trained(create("srresnet", "photo", {"width": 16, "blocks": 4, "lr": 4e-3, "ema": 0.95}), data, 120)
    assert isinstance(method, Restores)
    degraded = method.degrade(batch_of(held_out(data)))
    bicubic, ours = error(degraded.start, degraded.whole), error(method.restore(degraded.image), degraded.whole)
    assert ours < 0.92 * bicubic, f"{ours} against {bicubic}"


@pytest.mark.parametrize("name", ["srgan", "srresnet"])
def test_a_resumed_training_draws_the_same_degradations(name: str, tmp_path: Path) -> None:
    def run(folder: str, **more: Any) -> Run:
        return train_small(small(name, degradation="photo"), tmp_path / folder, 6, images((3, 32, 32)), **more)

    whole = run("whole")
    with pytest.raises(Crash):
        run("cut", checkpoint_every=3, callbacks=[CrashAfterSaving(3)])
    torch.manual_seed(99)
    assert weights(run("cut", resume=tmp_path / "cut")) == weights(whole)
    assert weights(train_small(name, tmp_path / "clean", 6, images((3, 32, 32)))) != weights(whole)


OF_A_PHOTO = [name for name, declared in settings_of(find("srresnet")).items() if declared.when == "degradation=photo"]


@pytest.mark.parametrize("name", OF_A_PHOTO)
def test_each_strength_of_a_photo_has_an_effect(name: str) -> None:
    whole = held_out_noise()
    usual = built("srresnet", degradation="photo")
    value = getattr(usual, name)
    changed = built("srresnet", degradation="photo", **{name: 0 if name.endswith("share") else value * 0.8})
    degraded = [method.degrade(batch_of(whole)).image for method in (usual, changed)]  # pyright: ignore
    assert not torch.equal(*degraded)


def held_out_noise() -> Tensor:
    return torch.rand(16, 3, 24, 24, generator=torch.Generator().manual_seed(2)) * 1.6 - 0.8


def test_strengths_want_a_photo() -> None:
    with pytest.raises(UsageError, match="noise_max has no effect with degradation=bicubic: set degradation=photo"):
        built("srresnet", noise_max=3.0)
    with pytest.raises(UsageError, match="quality_min is 90, above quality_max, 80"):
        built("srgan", degradation="photo", quality_min=90, quality_max=80)


def test_clean_reductions_draw_nothing() -> None:
    """So trainings of before keep their bits."""
    batch = batch_of(held_out_noise())
    built("srresnet").degrade(batch)  # pyright: ignore
    assert batch.generator is not None
    assert torch.equal(batch.generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_ranges_and_sizes_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="sigma_min is 60, above sigma_max, 55"):
        built("denoise", sigma_min=60)
    method = small("srresnet", scale=4)
    with pytest.raises(DataError, match="3 x 50 pixels cannot be made 4 times smaller"):
        method.build(DataSpec("thin", 3, 3, 50, 10))


def test_without_a_discriminator_there_is_none() -> None:
    assert not hasattr(built("denoise"), "D") and hasattr(built("denoise", adversarial=0.01), "D")
    assert [update.name for update in built("inpaint", adversarial=0).updates()] == ["pixels"]


@pytest.mark.parametrize("name", ["denoise", "inpaint"])
def test_the_adversarial_term_trains_both(name: str, tmp_path: Path) -> None:
    trainer = trainer_for(small(name, adversarial=0.01), shapes(tmp_path, 40))
    trainer.step()
    assert set(trainer.reports) >= {"discriminator"} and len(trainer.reports) == 2


@pytest.mark.parametrize("name", ["denoise", "inpaint", "srgan"])
def test_the_discriminator_sees_real_images_turned_as_the_fakes_are(name: str) -> None:
    """Images that are all dark on top: untouched real ones beside turned fakes would tell them apart."""
    method = built(name, **({} if name == "srgan" else {"adversarial": 0.01}))
    batch = batch_of(torch.linspace(-1, 1, 28)[:, None].expand(16, 3, 28, 28).contiguous())
    seen: list[Tensor] = []
    for update in method.updates():
        if update.name == "discriminator":
            method.D.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][:, 0].detach().flatten(1)))
        if update.name != "pixels":
            update.loss(batch)
    real, fake = seen[-1].chunk(2)
    assert len({row.argmin().item() for row in real}) > 1, "some real images were turned"
    likeness = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(real, fake, strict=True)]
    assert min(likeness) > 0.5


def test_holes_want_a_mask() -> None:
    with pytest.raises(UsageError, match="mask"):
        built("inpaint").restore(torch.zeros(1, 3, 24, 24))  # pyright: ignore
