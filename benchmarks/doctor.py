"""Does the doctor find what is wrong? Real trainings broken on purpose, healthy ones, and trainings changed as it advises.

    python benchmarks/doctor.py train  --bank BANK [--part tune|report|healthy|minute]  trains what the bank lacks (resumable)
    python benchmarks/doctor.py fix   --bank BANK                              trains again as the doctor advises
    python benchmarks/doctor.py report --bank BANK [--out FILE] [--verbose]    diagnoses every log, prints the table
    python benchmarks/doctor.py expect --bank BANK [--runs RUN ...]            writes how far healthy trainings got, for the rules

The bank keeps logs only (log.jsonl, settings.json, data.json), so that rules can be read against it without training again.
The thresholds of ganvas/doctor/rules.py were chosen on the part `tune`: seed 0, methods gan, dcgan and r3gan, and none of the
faults in UNSEEN. The table is of the other part: seeds 1 to 3, and lsgan in place of gan; results of seeds 1 and 2 were seen
before the end (see UNTOUCHED), so that seed 3 stands by itself too.

A training here has a few hundred steps of 16 or 32 images, in networks of a fifth of their usual width: seconds on one core.
So have those of the part `held_out`: the faults HELD_OUT, chosen before any of them was trained, and their healthy twins. The
part `minute` is the same with the methods' presets as they are, for one minute of processor time.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import NEVER, facts, heading, make_parser, parse, progress_file

import ganvas
from ganvas.abilities import HasDiscriminator, Samples
from ganvas.data import Dataset, open_data
from ganvas.doctor import Diagnosis, Finding, diagnose
from ganvas.doctor.diagnosis import MIN_HEALTH_ROWS, MIN_STEPS
from ganvas.doctor.expected import at
from ganvas.doctor.rules import progress
from ganvas.doctor.signals import read
from ganvas.doctor.unusual import unusual_settings
from ganvas.errors import TrainingError
from ganvas.figure import Figure, distance_figure, read_figures
from ganvas.method import Method, Update
from ganvas.registry import create, find, method_names, presets
from ganvas.settings import settings_of
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare

ROWS = 10  # health rows a training
EXPECTED = Path(__file__).parents[1] / "src/ganvas/doctor/expected.json"
KEPT = ("log.jsonl", "settings.json", "data.json", "metrics.json")

# What each method trains with here: narrow, and at a learning rate that shows something in a few hundred steps.
SIZES: dict[str, tuple[str | None, int, dict[str, Any]]] = {
    "gan": ("relu", 600, {"lr": 5e-4, "batch_size": 32}),
    "dcgan": ("small", 480, {"width": 12, "batch_size": 32, "lr": 1e-3}),
    "lsgan": ("small", 480, {"width": 12, "batch_size": 32, "lr": 1e-3}),
    "r3gan": ("cpu", 450, {"widths": "48-24-12", "batch_size": 32}),
    "wgan": ("small", 250, {"width": 12, "batch_size": 32, "lr": 5e-4, "n_critic": 3}),
    "wgan_gp": ("small", 250, {"width": 12, "batch_size": 32, "lr": 1e-3, "n_critic": 2}),
    "cgan": ("small", 800, {"width": 12, "lr": 5e-4}),
    "infogan": ("small", 750, {"width": 12}),
    "pacgan": ("small", 700, {"width": 12, "lr": 1e-3}),
    "mgan": ("small", 700, {"width": 12, "lr": 1e-3}),
    "vae_gan": ("small", 600, {"width": 12, "lr": 1e-3}),
    "gran": ("small", 450, {"width": 12, "disc_width": 12, "lr": 1e-3}),
    "lapgan": ("small", 600, {"width": 12, "base_width": 48, "disc_width": 12, "lr": 1e-3}),
    "stylegan2": ("small", 160, {"group": 16}),
    "hinge_sn": ("small", 250, {"width": 8, "batch_size": 32, "lr": 1e-3, "n_critic": 1}),
}
OTHER_STEPS = 700  # of methods not named above, in the preset `tiny`
SHORTER, SMALLER_BATCH = 0.6, 16  # of all parts but `tune`: share of the steps, images a step


@dataclasses.dataclass(frozen=True)
class Fault:
    """One way to break a training, and the findings that would be right (the first is the best name)."""

    name: str
    fits: tuple[str, ...]
    settings: Callable[[Method], dict[str, Any]] = lambda method: {}
    data: Callable[[Dataset], dict[str, np.ndarray]] | None = None
    surgery: Callable[[Method], None] | None = None
    holdout: float = 0.1
    share: float = 1.0
    """Of the usual steps: what lies in the data alone needs no long training to be seen."""
    certain: bool = False
    """True where something is wrong whatever the score: in the data, or in what G is fed."""
    methods: tuple[str, ...] = ()
    """Those that it is tried on; empty: those of BROKEN."""
    fixable: bool = True
    """False where no setting fixes it: the code or the data themselves are wrong."""


def _times(factor: float, **more: Any) -> Callable[[Method], dict[str, Any]]:
    return lambda method: {"lr": method.settings()["lr"] * factor, **more}


def _factor(name: str, factor: float) -> Callable[[Method], dict[str, Any]]:
    return lambda method: {name: method.settings()[name] * factor}


def _saturating(method: Method) -> None:
    """G's loss as its saturating twin: log(1 - sigmoid) in place of -log(sigmoid), whose gradient dies where D wins."""
    updates = method.updates

    def changed(update: Update) -> Update:
        def loss(batch: Any) -> dict[str, torch.Tensor]:
            report = update.loss(batch)
            won = torch.exp(-torch.nn.functional.softplus(report["loss"] * 2))
            return {**report, "loss": torch.log1p(-won)}

        return dataclasses.replace(update, loss=loss) if update.trains == "G" else update

    method.updates = lambda: [changed(update) for update in updates()]  # pyright: ignore[reportAttributeAccessIssue]


def _few_latents(count: int) -> Callable[[Method], None]:
    """G gets one of `count` latents and nothing else."""

    def operate(method: Any) -> None:
        noise, latents = method.noise, method.latents
        kept = torch.randn(count, method.z_dim, generator=torch.Generator().manual_seed(5))
        method.noise = lambda batch: kept[batch.integers(count)].to(noise(batch))
        method.latents = lambda seeds: kept[[seed % count for seed in seeds]].to(latents([0]))

    return operate


def _asleep(share: float) -> Callable[[Method], None]:
    """Learning rates fall to zero after `share` of the budget."""

    def operate(method: Any) -> None:
        schedule = method.schedule
        method.schedule = lambda progress, steps: schedule(progress, steps) if progress < share else 0.0

    return operate


def _rounded(method: Any) -> None:
    """G's images become bytes before D gets them. Rounding has a gradient of zero, so that G never learns."""
    generate_for = method.generate_for
    method.generate_for = lambda batch: ((generate_for(batch) + 1) * 127.5).round() / 127.5 - 1


def _frozen(method: Any) -> None:
    """The optimiser of G was given G's last layer only: a weight and a bias."""
    optimizers = method.optimizers

    def last_layer() -> dict[str, torch.optim.Optimizer]:
        made = optimizers()
        for group in made["G"].param_groups:
            del group["params"][:-2]
        return made

    method.optimizers = last_layer


def _changed_losses(method: Any, change: Callable[[Update], Callable[[Any], dict[str, torch.Tensor]]]) -> None:
    """The method's updates, each with the loss that `change` makes of it."""
    updates = method.updates
    method.updates = lambda: [dataclasses.replace(update, loss=change(update)) for update in updates()]


def _flipped(method: Any) -> None:
    """G's loss with the other sign: G helps D."""

    def change(update: Update) -> Callable[[Any], dict[str, torch.Tensor]]:
        def loss(batch: Any) -> dict[str, torch.Tensor]:
            report = update.loss(batch)
            return {**report, "loss": -report["loss"]}

        return loss if update.trains == "G" else update.loss

    _changed_losses(method, change)


def _half_range(method: Any) -> None:
    """D gets real images in [0, 1], as a data loader gives them, and generated ones in [-1, 1]."""
    real_for = method.real_for
    method.real_for = lambda batch: (real_for(batch) + 1) / 2

    def change(update: Update) -> Callable[[Any], dict[str, torch.Tensor]]:
        def loss(batch: Any) -> dict[str, torch.Tensor]:
            seen = copy.copy(batch)
            seen.real = (batch.real + 1) / 2
            return update.loss(seen)

        return loss

    _changed_losses(method, change)


def _some(count: int) -> Callable[[Dataset], dict[str, np.ndarray]]:
    return lambda data: {"images": np.array(data.images[:count])}


def _repeated(count: int, times: int) -> Callable[[Dataset], dict[str, np.ndarray]]:
    return lambda data: {"images": np.tile(np.array(data.images[:count]), (times, 1, 1, 1))}


def _zero_and_one(data: Dataset) -> dict[str, np.ndarray]:
    return {"images": (np.array(data.images) > 127).astype(np.uint8)}


def _noise(data: Dataset) -> dict[str, np.ndarray]:
    return {"images": np.random.default_rng(0).integers(0, 256, data.images.shape).astype(np.uint8)}


def _half_blank(data: Dataset) -> dict[str, np.ndarray]:
    images = np.array(data.images)
    images[::2] = 255
    return {"images": images}


def _two_ranges(data: Dataset) -> dict[str, np.ndarray]:
    images = np.array(data.images)
    images[::2] //= 3
    return {"images": images}


def _shuffled_labels(data: Dataset) -> dict[str, np.ndarray]:
    return {"images": np.array(data.images), "labels": np.random.default_rng(0).permutation(np.array(data.labels))}


def _marked(data: Dataset) -> dict[str, np.ndarray]:
    """The label as a bar of one of ten lengths along the lower edge."""
    images, labels = np.array(data.images), np.array(data.labels)
    for image, label in zip(images, labels, strict=True):
        image[-2:, :] = 0
        image[-2:, : 2 * (int(label) + 1)] = 255
    return {"images": images, "labels": labels}


def _axes_mixed(data: Dataset) -> dict[str, np.ndarray]:
    """Images saved with their number as the last axis, as Matlab does, and read with it as the first without transposing."""
    images = np.array(data.images)
    return {"images": np.moveaxis(images, 0, -1).reshape(images.shape)}


def _near_copies(count: int, times: int) -> Callable[[Dataset], dict[str, np.ndarray]]:
    """`count` images, each `times` times with one pixel at random changed, so that no two are the same bytes."""

    def change(data: Dataset) -> dict[str, np.ndarray]:
        images = np.tile(np.array(data.images[:count]), (times, 1, 1, 1))
        random = np.random.default_rng(0)
        _, height, width, _ = images.shape
        rows, columns = random.integers(0, height, len(images)), random.integers(0, width, len(images))
        images[np.arange(len(images)), rows, columns] = random.integers(0, 256, (len(images), 1))
        return {"images": images}

    return change


def _wrong_labels(data: Dataset) -> dict[str, np.ndarray]:
    """Nine of ten labels are drawn at random from all of them."""
    labels, random = np.array(data.labels), np.random.default_rng(0)
    wrong = random.random(len(labels)) < 0.9
    return {"images": np.array(data.images), "labels": np.where(wrong, random.permutation(labels), labels)}


def _negatives(data: Dataset) -> dict[str, np.ndarray]:
    images = np.array(data.images)
    images[::2] = 255 - images[::2]
    return {"images": images}


def _placeholder(data: Dataset) -> dict[str, np.ndarray]:
    """Two of five images are the same one: what a site shows where an image is missing."""
    images = np.array(data.images)
    images[np.arange(len(images)) % 5 < 2] = images[0]
    return {"images": images}


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("lr_high", ("learning_rate_too_high", "divergence", "oscillation"), _times(200)),
        Fault("lr_low", ("learning_rate_too_low", "stalled"), _times(1 / 300)),
        Fault("d_strong", ("discriminator_too_strong", "vanishing_generator_gradient"), _times(1 / 25, balance=75.0)),
        Fault("g_strong", ("generator_too_strong",), lambda method: {"balance": 0.004}),
        Fault(
            "saturating", ("vanishing_generator_gradient", "discriminator_too_strong"),
            _times(0.2, balance=50.0), surgery=_saturating, fixable=False,
        ),
        Fault("one_latent", ("mode_collapse",), surgery=_few_latents(1), fixable=False, certain=True),
        Fault("few_latents", ("partial_collapse", "mode_collapse"), surgery=_few_latents(6), fixable=False, certain=True),
        Fault("few_data", ("too_little_data", "discriminator_overfits"), data=_some(180), holdout=0.5, share=1.5, certain=True),
        Fault("zero_and_one", ("bad_data_range",), data=_zero_and_one, share=0.45, fixable=False, certain=True),
        Fault("marked", ("label_leak",), data=_marked, share=0.45, fixable=False, certain=True),
        Fault("asleep", ("stalled", "learning_rate_too_low"), surgery=_asleep(0.12), fixable=False),
        Fault(
            "momentum", ("oscillation", "learning_rate_too_high", "divergence", "partial_collapse", "mode_collapse"),
            _times(4, beta1=0.99),
        ),
        Fault("beta1", ("unusual_setting", "oscillation"), lambda method: {"beta1": 0.99}),
        Fault("d_off", ("generator_too_strong",), lambda method: {"balance": 0.0}),
        Fault("penalty_high", ("unusual_setting",), lambda method: {"gamma": 1000.0}, methods=("r3gan",)),
        Fault("penalty_off", ("unusual_setting", "partial_collapse"), lambda method: {"gamma": 0.0}, methods=("r3gan",)),
        Fault("clip_high", ("unusual_setting",), lambda method: {"clip": 5.0}, methods=("wgan",)),
        Fault("clip_low", ("unusual_setting",), lambda method: {"clip": 1e-6}, methods=("wgan",)),
        Fault("repeated", ("too_little_data", "discriminator_overfits"), data=_repeated(25, 160), certain=True),
        Fault("noise", ("noise_images",), data=_noise, share=0.2, fixable=False, certain=True),
        Fault("half_blank", ("one_colour_images",), data=_half_blank, share=0.2, fixable=False, certain=True),
        Fault("two_ranges", ("mixed_ranges",), data=_two_ranges, share=0.2, fixable=False, certain=True),
        Fault(
            "shuffled_labels", ("unrelated_labels",), data=_shuffled_labels, share=0.2, methods=("cgan",), fixable=False,
            certain=True,
        ),
        Fault(
            "tiny_batch", ("unusual_setting", "oscillation", "learning_rate_too_high"), lambda method: {"batch_size": 2}
        ),
        Fault("narrow", ("unusual_setting", "not_learned"), lambda method: {"width": 1, "widths": "4-2-1"}),
        Fault("ada_strong", ("unusual_setting",), lambda method: {"augment": "ada", "ada_target": 0.0, "ada_images": 1000}),
        Fault("rounded", ("vanishing_generator_gradient", "stalled"), surgery=_rounded, fixable=False),
        Fault(
            "axes_mixed", ("noise_images", "one_colour_images"), data=_axes_mixed, share=0.2, fixable=False, certain=True
        ),
        Fault("placeholder", ("repeated_images",), data=_placeholder, fixable=False, certain=True),
        Fault("latent_one", ("unusual_setting", "mode_collapse", "partial_collapse"), lambda method: {"z_dim": 1}),
        Fault("beta2_half", ("unusual_setting",), lambda method: {"beta2": 0.5}),
        Fault(
            "narrow_others", ("unusual_setting", "not_learned"), lambda method: {"width": 1, "disc_width": 1},
            methods=("cgan", "infogan", "mgan", "vae_gan", "wgan", "wgan_gp"),
        ),
        Fault("disc_narrow", ("unusual_setting",), lambda method: {"disc_width": 1}, methods=("gran", "lapgan")),
        Fault(
            "layers_narrow", ("unusual_setting", "not_learned"),
            lambda method: {"generator": "8-8", "discriminator": "8-8"}, methods=("gan",),
        ),
        Fault(
            "tiny_batch_others", ("unusual_setting", "oscillation", "learning_rate_too_high"),
            lambda method: {"batch_size": 2}, methods=("gan", "hinge_sn", "mgan", "wgan", "wgan_gp"),
        ),
        Fault("slope_huge", ("unusual_setting",), lambda method: {"penalty": 10000.0}, methods=("wgan_gp",)),
        Fault("penalty_tiny", ("unusual_setting",), lambda method: {"gamma": 1e-5}, methods=("r3gan",)),
        Fault(
            "ada_fast", ("unusual_setting", "augmentation_too_strong"), lambda method: {"augment": "ada", "ada_images": 3000}
        ),
        Fault(
            "critic_often", ("unusual_setting", "discriminator_too_strong"), lambda method: {"n_critic": 30},
            methods=("hinge_sn",),
        ),
        Fault("huge_batch", ("unusual_setting", "not_learned"), lambda method: {"batch_size": 1024}, methods=("pacgan",)),
        Fault(
            "wide", ("unusual_setting", "not_learned"), lambda method: {"width": 12 * method.settings()["width"]},
            methods=("lsgan",),
        ),
        Fault("ema_slow", ("unusual_setting", "not_learned"), lambda method: {"ema": 0.99999}, methods=("r3gan",)),
        Fault("code_weight", ("unusual_setting",), _factor("categorical_weight", 300), methods=("infogan",)),
        Fault("class_weight", ("unusual_setting",), _factor("beta", 1000), methods=("mgan",)),
        Fault("feature_weight", ("unusual_setting",), _factor("gamma", 1e5), methods=("vae_gan",)),
        Fault(
            "long_warmup", ("learning_rate_too_low", "unusual_setting", "stalled"), lambda method: {"warmup": 1_000_000},
            methods=("r3gan",),
        ),
        Fault(
            "frozen", ("stalled", "not_learned", "discriminator_too_strong"), surgery=_frozen, methods=("wgan_gp",),
            fixable=False,
        ),
        Fault(
            "flipped",
            ("discriminator_too_strong", "vanishing_generator_gradient", "mode_collapse", "not_learned", "stalled"),
            surgery=_flipped, methods=("dcgan",), fixable=False,
        ),
        Fault(
            "half_range", ("not_learned", "discriminator_too_strong"), surgery=_half_range, methods=("cgan",), fixable=False
        ),
        Fault(
            "near_copies", ("too_little_data", "repeated_images", "discriminator_overfits"), data=_near_copies(25, 160),
            methods=("mgan",), certain=True, fixable=False,
        ),
        Fault(
            "wrong_labels", ("unrelated_labels",), data=_wrong_labels, methods=("cgan",), certain=True, fixable=False
        ),
        Fault("negatives", ("mixed_ranges",), data=_negatives, methods=("lapgan",), certain=True, fixable=False),
        Fault("mild_width", (), lambda method: {"width": 6, "widths": "24-12-6"}),
        Fault("mild_batch", (), lambda method: {"batch_size": 8}),
        Fault("mild_latent", (), lambda method: {"z_dim": 16}),
        Fault("mild_momentum", (), lambda method: {"beta1": 0.0 if method.settings()["beta1"] else 0.5, "beta2": 0.99}),
        Fault("mild_larger", (), lambda method: {"width": 24, "widths": "96-48-24", "z_dim": 800}),
    )
}  # fmt: skip
BROKEN = ("dcgan", "r3gan", "lsgan")
SEEDS = (1, 2, 3)
UNTOUCHED = (3,)  # first seen when the rules were as they are; seeds 1 and 2 were seen while some of them changed
FAR = 0.5  # of the way to the data: what got less far is not called healthy
KNOWN = 0.09  # share of pairs (training, unseen) over one half; twice its noise for 90 images each
HARM = 0.1  # of the way to the data; a fault that takes less has broken nothing (Adam and batch norm forgive much)
UNSEEN = (
    "momentum",
    "beta1",
    "d_off",
    "penalty_high",
    "penalty_off",
    "clip_high",
    "clip_low",
    "repeated",
    "noise",
    "half_blank",
    "two_ranges",
    "shuffled_labels",
)
"""No threshold was chosen by looking at these."""
NEW = ("tiny_batch", "narrow", "ada_strong", "rounded", "axes_mixed", "placeholder")
"""Chosen, with the names that fit, by somebody who had not read the rules. Counted apart. None fitted `placeholder`:
`repeated_images` was added after the first count."""
FAR_SETTINGS = ("latent_one", "beta2_half")
"""Settings far from every preset, seen while the rule of such settings was written."""
FAR_SETTINGS_UNSEEN = (
    "narrow_others",
    "disc_narrow",
    "layers_narrow",
    "tiny_batch_others",
    "slope_huge",
    "penalty_tiny",
    "ada_fast",
)
"""More of them, diagnosed only when that rule was as it is."""
MILD = ("mild_width", "mild_batch", "mild_latent", "mild_momentum", "mild_larger")
"""No faults: settings that differ from the presets by less. A finding where no harm was done is a false alarm."""
HELD_OUT = {
    "critic_often": "emoji",
    "huge_batch": "digits",
    "wide": "emoji",
    "ema_slow": "digits",
    "code_weight": "digits",
    "class_weight": "emoji",
    "feature_weight": "digits",
    "long_warmup": "digits",
    "frozen": "digits",
    "flipped": "digits",
    "half_range": "emoji",
    "near_copies": "digits",
    "wrong_labels": "digits",
    "negatives": "emoji",
}
"""Faults of the parts `held_out` and `minute`, with their data: chosen, with the names that fit, before one was trained."""
HELD_OUT_SEED = 4
EXPECTED_SEEDS = (2, 3)  # of the healthy trainings that say how far one gets
GROUPS = {"new": NEW, "far": FAR_SETTINGS, "far_unseen": FAR_SETTINGS_UNSEEN, "mild": MILD}
"""Counted apart from the faults of before, each with all healthy trainings."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One training of the bank."""

    part: str
    method: str
    data: str
    seed: int
    fault: str | None = None

    @property
    def name(self) -> str:
        """Its folder in the bank."""
        return "-".join((self.part, self.fault or "healthy", self.method, self.data, str(self.seed)))


def cases(part: str, seeds: Sequence[int] = ()) -> Iterator[Case]:
    """tune: what thresholds were chosen on. report: broken ones. healthy: of every method. Digits and emoji take turns."""
    if part in ("tune", "all"):
        for method, data in (("dcgan", "digits"), ("r3gan", "emoji"), ("gan", "digits")):
            yield Case("tune", method, data, 0)
            for fault in FAULTS:
                if fault not in UNSEEN:
                    yield Case("tune", method, data, 0, fault)
        for method, data in (("lsgan", "digits"), ("hinge_sn", "emoji"), ("wgan", "digits"), ("wgan_gp", "emoji")):
            yield Case("tune", method, data, 0)
    if part in ("report", "all"):
        for seed in seeds or SEEDS:
            for fault in FAULTS.values():
                if fault.name in HELD_OUT:
                    continue
                for method in fault.methods or BROKEN:
                    yield Case("report", method, data_of(method, seed), seed, fault.name)
    if part in ("healthy", "all"):
        for seed in seeds or SEEDS:
            for method in (*BROKEN, *(name for name in gans() if name not in BROKEN)):
                yield Case("healthy", method, data_of(method, seed), seed)
    for kind in ("held_out", "minute"):
        if part in (kind, "all"):
            for method, data in dict.fromkeys((*FAULTS[fault].methods, data) for fault, data in HELD_OUT.items()):
                yield Case(kind, method, data, HELD_OUT_SEED)
            for fault, data in HELD_OUT.items():
                for method in FAULTS[fault].methods:
                    yield Case(kind, method, data, HELD_OUT_SEED, fault)


def gans() -> list[str]:
    """The methods with a discriminator that generate images from noise."""
    kinds = {name: find(name) for name in method_names()}
    return [
        name
        for name, kind in kinds.items()
        if issubclass(kind, HasDiscriminator) and issubclass(kind, Samples) and "images" in kind.takes
    ]


def data_of(method: str, seed: int) -> str:
    """Digits and emoji take turns, so that no method sees one of them only."""
    turn = BROKEN.index(method) if method in BROKEN else gans().index(method)
    return ("digits", "emoji")[(turn + seed) % 2]


# --- training -------------------------------------------------------------------------------------------------------------


def make(case: Case, changes: dict[str, Any] | None = None, operate: bool = True) -> tuple[Method, Dataset, int]:
    """The method as the case wants it, its data, and its steps. `changes` are settings on top."""
    preset, steps, sizes = SIZES.get(case.method, ("tiny", OTHER_STEPS, {}))
    if case.part == "minute":
        preset, sizes = preset_for(case.method, case.data), {}
    elif case.part != "tune":
        sizes, steps = {**sizes, "batch_size": SMALLER_BATCH}, round(SHORTER * steps)
    sizes = {key: value for key, value in sizes.items() if key in settings_of(create(case.method))}
    if preset not in presets(case.method):
        preset = None
    method = create(case.method, preset, sizes)
    data = open_data(case.data)
    fault = FAULTS[case.fault] if case.fault else None
    if fault is None:
        return method.with_settings(changes or {}), data, steps
    wished = {key: value for key, value in fault.settings(method).items() if key in settings_of(method)}
    method = method.with_settings({**wished, **(changes or {})})
    if fault.surgery and operate:
        fault.surgery(method)
        method.with_settings = lambda values: method  # a copy would be whole again
    if fault.data:
        place = Path(tempfile.gettempdir()) / "ganvas-doctor" / f"{case.data}-{fault.name}.npz"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            np.savez(place, **fault.data(data))  # pyright: ignore[reportArgumentType]
        data = open_data(place, holdout=fault.holdout)
    return method, data, round(steps * fault.share)


def preset_for(method: str, data: str) -> str | None:
    """The preset named after the data, else `small`, else `cpu`."""
    return next((name for name in (data, "small", "cpu") if name in presets(method)), None)


def train(case: Case, place: Path, changes: dict[str, Any] | None = None) -> None:
    """Trains a case and keeps its log under `place`."""
    with tempfile.TemporaryDirectory() as scratch:
        method, data, steps = make(case, changes)
        if case.part == "minute":
            budget: dict[str, Any] = {"minutes": 1.0, "evaluate_every": NEVER, "samples": 1000}
            budget["preset"] = preset_for(case.method, case.data)
        else:
            samples = 500 if case.part == "held_out" else 0
            budget = {"steps": steps, "evaluate_every": steps, "samples": samples}
        config = TrainConfig(
            method, data, out=Path(scratch) / "run", seed=case.seed, device="cpu", precision="fp32", **budget
        )
        session = prepare(config)
        # Each look costs as much here as half a second of training; all that are asked for, however slow this machine is.
        session.health.set_rate(ROWS, share=float("inf"))
        session.use_clock(time.process_time)
        started, ended = time.process_time(), "finished"
        try:
            session.run()
        except TrainingError as error:
            ended = str(error)
        seconds = time.process_time() - started
        whole = place.with_name(f".{place.name}.part")
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        for name in KEPT:
            if (session.folder / name).exists():
                shutil.copy(session.folder / name, whole / name)
        grids = sorted((session.folder / "samples").glob("*.png"))
        if grids:
            shutil.copy(grids[-1], whole / "last.png")
        note = {**dataclasses.asdict(case), "changes": changes or {}, "seconds": round(seconds, 2), "ended": ended}
        (whole / "case.json").write_text(json.dumps(note, indent=2))
        os.replace(whole, place)


def train_bank(bank: Path, chosen: Iterable[Case]) -> None:
    """All chosen cases that the bank lacks."""
    for case in chosen:
        place = bank / case.name
        if place.exists():
            continue
        train(case, place)
        note = json.loads((place / "case.json").read_text())
        print(case.name, note["seconds"], note["ended"][:80], flush=True)


# --- fixing ----------------------------------------------------------------------------------------------------------------


def fix_bank(bank: Path, chosen: Iterable[Case]) -> None:
    """Trains each broken case that settings can fix once more, from the start, with the change of its first finding."""
    for case in chosen:
        place = bank / case.name
        if case.fault is None or not FAULTS[case.fault].fixable or case.part == "tune" or not place.exists():
            continue
        finding = advising(diagnose(place))
        if finding is None:
            continue
        changes = finding.change.settings
        fixed = bank.with_name(bank.name + "-fixed") / case.name
        if fixed.exists() and was_changed_so(fixed, changes):
            continue
        shutil.rmtree(fixed, ignore_errors=True)
        train(case, fixed, changes)
        print(
            case.name,
            finding.name,
            changes,
            json.loads((fixed / "case.json").read_text())["ended"][:80],
            flush=True,
        )


def score(place: Path) -> float:
    """How far a training got: share of the way from untrained samples to the data (ganvas.doctor.rules.progress)."""
    return progress(read(place))


def twin(case: Case) -> Case:
    """The healthy training of the same method, data and seed."""
    part = "healthy" if case.part == "report" else case.part
    return dataclasses.replace(case, part=part, fault=None)


def harmed(bank: Path, case: Case, place: Path | None = None) -> bool:
    """Whether the training at `place`, else the case's own, got less far than its healthy twin by HARM, or ended with more than
    twice the Fréchet distance and HARM less coverage."""
    healthy, place = bank / twin(case).name, place or bank / case.name
    if not healthy.exists():
        return True
    worse_distance, worse_coverage = evaluated(place, healthy)
    return score(healthy) - score(place) > HARM or (worse_distance > 2 and worse_coverage > HARM)


def evaluated(place: Path, healthy: Path) -> tuple[float, float]:
    """The distance at the end over the healthy training's, and by how much the coverage is less; NaN where not measured."""
    figures: list[dict[str, Figure]] = []
    for one in (place, healthy):
        rows = read(one).evaluated
        figures.append(read_figures(rows[-1].get("metrics")) if rows else {})
    name = distance_figure(figures[1])
    if name is None or any(name not in one or "coverage" not in one for one in figures):
        return math.nan, math.nan
    broken, whole = figures
    return broken[name].value / whole[name].value, whole["coverage"].value - broken["coverage"].value


def was_changed_so(place: Path, changes: dict[str, Any]) -> bool:
    """Whether a training of the bank was made with these changes. JSON has lists where settings have tuples."""
    return json.loads((place / "case.json").read_text())["changes"] == json.loads(json.dumps(changes))


def advising(diagnosis: Diagnosis) -> Finding | None:
    """The first finding that settings can fix."""
    return next((finding for finding in diagnosis.findings if finding.change.settings), None)


def is_fixed(bank: Path, case: Case, finding: Finding | None) -> dict[str, Any] | None:
    """Is at least half of what the fault took away back? Of few images: is half of D's knowledge of them gone?"""
    broken, again = bank / case.name, bank.with_name(bank.name + "-fixed") / case.name
    healthy = bank / twin(case).name
    if finding is None or not again.exists() or not healthy.exists():
        return None
    if not was_changed_so(again, finding.change.settings):
        return None  # of an earlier advice: `fix` has to be run again
    scores = {"broken": score(broken), "fixed": score(again), "healthy": score(healthy)}
    lost, won = scores["healthy"] - scores["broken"], scores["fixed"] - scores["broken"]
    known = [abs(read(place).late("logits/overfit") - 0.5) for place in (broken, again)]
    fixed = won >= 0.5 * lost
    if "too_little_data" in FAULTS[case.fault or ""].fits:
        fixed = known[1] <= 0.5 * known[0] if known[0] >= KNOWN else None  # None: D had not come to know them yet
    whole = fixed if "too_little_data" in FAULTS[case.fault or ""].fits else not harmed(bank, case, again)
    return {**scores, "fixed_half": fixed, "healthy_again": whole, "knows_before": known[0], "knows_after": known[1]}


# --- how far healthy trainings get ------------------------------------------------------------------------------------------


def expect(bank: Path, others: Iterable[Path]) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """For each method and data set the least progress of the bank's healthy trainings of EXPECTED_SEEDS, and of `others` with the
    settings of a preset, by steps."""
    curves: dict[str, dict[str, list[list[tuple[int, float]]]]] = {}
    for case in cases("all"):
        compared = case.fault is None and case.part == "healthy" and case.seed in EXPECTED_SEEDS
        if compared and (bank / case.name).exists():
            curves.setdefault(case.method, {}).setdefault(case.data, []).append(progress_by_steps(bank / case.name))
    for folder in others:
        signals = read(folder)
        method, data = str(signals.info["method"]), str(signals.info["data"])
        if method in gans() and data in ("digits", "emoji") and not unusual_settings(signals):
            curves.setdefault(method, {}).setdefault(data, []).append(progress_by_steps(folder))
    return {method: {data: least(curves[method][data]) for data in sorted(curves[method])} for method in sorted(curves)}


def progress_by_steps(place: Path) -> list[tuple[int, float]]:
    """(steps, progress) as the doctor would have seen it then, for each health row from the first that it needs on."""
    whole = read(place)
    points: list[tuple[int, float]] = []
    for count in range(MIN_HEALTH_ROWS + 1, len(whole.health) + 1):
        health = whole.health[:count]
        if health[-1]["step"] >= MIN_STEPS:
            points.append((health[-1]["step"], progress(dataclasses.replace(whole, health=health))))
    return points


def least(curves: Iterable[list[tuple[int, float]]]) -> list[tuple[int, float]]:
    """At each step of a curve the smallest value of those that reach so far; points that add nothing are left out."""
    known = [points for points in curves if points]
    found: list[tuple[int, float]] = []
    for step in sorted({step for points in known for step, _ in points}):
        values = [value for points in known if points[-1][0] >= step and (value := at(points, step)) is not None]
        lowest = round(min(values), 2)
        if not found or lowest != found[-1][1]:
            found.append((step, lowest))
    return found


# --- the table --------------------------------------------------------------------------------------------------------------


def diagnose_bank(bank: Path, verbose: bool) -> dict[str, Any]:
    """Every case of the bank: what the doctor says, and whether that is right."""
    found = []
    for case in cases("all"):
        place = bank / case.name
        if not place.exists():
            continue
        diagnosis = diagnose(place)
        names = [finding.name for finding in diagnosis.findings if finding.level == "fault"]
        notes = [finding.name for finding in diagnosis.findings if finding.level == "note"]
        row: dict[str, Any] = {
            **dataclasses.asdict(case), "healthy": diagnosis.healthy, "found": names, "notes": notes,
        }  # fmt: skip
        row["score"] = round(score(place), 3)
        if case.fault:
            fits = FAULTS[case.fault].fits
            row["harmed"] = FAULTS[case.fault].certain or harmed(bank, case)
            row |= {"right": bool(names) and names[0] in fits, "among": bool(set(names) & set(fits))}
            row |= {"noted": not names and bool(set(notes) & set(fits))}
            row |= {"change": diagnosis.findings[0].change.line if diagnosis.findings else None}
            row |= {"fix": is_fixed(bank, case, advising(diagnosis))}
        if verbose:
            print(case.name, row["score"], names, notes, row.get("fix"))
        found.append(row)
    later = {fault for group in (*GROUPS.values(), HELD_OUT) for fault in group}
    short = [row for row in found if row["part"] not in ("held_out", "minute")]
    earlier = [row for row in short if row["fault"] not in later]
    sums = {
        "all_seeds": summary(earlier),
        "untouched_seeds": summary([row for row in earlier if row["seed"] in UNTOUCHED]),
    }
    for name, group in GROUPS.items():
        sums[name] = summary([row for row in short if row["fault"] is None or row["fault"] in group])
    for name in ("held_out", "minute"):
        sums[name] = summary([row for row in found if row["part"] == name])
    return {"rows": found, "sums": sums}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares over the part that nothing was tuned on."""
    tried = [row for row in rows if row["part"] != "tune" and row["fault"]]
    broken = [row for row in tried if row["harmed"]]
    whole = [row for row in rows if row["part"] != "tune" and not row["fault"]]
    well = [row for row in whole if row["score"] >= FAR]
    short = [row for row in whole if row["score"] < FAR]
    asked = fixed_by(broken)
    return {
        "not_harmed": len(tried) - len(broken),
        "found_without_harm": sum(row["healthy"] is False for row in tried if not row["harmed"]),
        "noted_without_harm": sum(bool(row["notes"]) for row in tried if not row["harmed"]),
        "broken": len(broken),
        "detected": _share(row["healthy"] is False for row in broken),
        "right_name": _share(row["right"] for row in broken),
        "right_among": _share(row["among"] for row in broken),
        "only_a_note": _share(row["noted"] for row in broken),
        "too_short_to_be_healthy": len(short),
        "healthy": len(well),
        "false_alarms": _share(row["healthy"] is False for row in well),
        "notes_of_healthy": _share(bool(row["notes"]) for row in well),
        "fixable": len(asked),
        "fixed": _share(asked),
        "healthy_again": _share(bool(row["fix"] and row["fix"]["healthy_again"]) for row in tried_to_fix(broken)),
    }


def fixed_by(rows: list[dict[str, Any]]) -> list[bool]:
    """For each row that a setting should fix, whether it did; what was not found, or not tried, was not fixed."""
    return [bool(row["fix"] and row["fix"]["fixed_half"]) for row in tried_to_fix(rows)]


def tried_to_fix(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that a setting should fix."""
    asked = [row for row in rows if FAULTS[row["fault"]].fixable]
    return [row for row in asked if not _nothing_to_fix(row["fix"])]


def _nothing_to_fix(fix: dict[str, Any] | None) -> bool:
    return fix is not None and fix["fixed_half"] is None


def _share(values: Iterable[bool]) -> float:
    known = list(values)
    return sum(known) / max(1, len(known))


def print_table(result: dict[str, Any]) -> None:
    """A line a fault (all methods and seeds of the part `report`), then the healthy ones and the totals."""
    print(
        f"{'fault':17} {'runs':>4} {'broken':>6} {'found':>6} {'named':>6} {'fixed':>7} {'no harm':>8}  names found first"
    )
    for fault in FAULTS:
        rows = [row for row in result["rows"] if row["part"] != "tune" and row["fault"] == fault]
        if not rows:
            continue
        tried = len(rows)
        unharmed = [row["healthy"] is False for row in rows if not row["harmed"]]
        rows = [row for row in rows if row["harmed"]]
        fixes = fixed_by(rows)
        fixed = f"{sum(fixes)}/{len(fixes)}" if FAULTS[fault].fixable else "-"
        firsts = collections.Counter(row["found"][0] if row["found"] else "nothing" for row in rows)
        names = ", ".join(f"{name} {count}" for name, count in firsts.most_common())
        hit, right = sum(row["healthy"] is False for row in rows), sum(row["right"] for row in rows)
        mark = "*" if fault in UNSEEN else ""
        counts = f"{tried:4} {len(rows):6} {hit:6} {right:6} {fixed:>7} {f'{sum(unharmed)}/{len(unharmed)}':>8}"
        print(f"{fault + mark:17} {counts}  {names}")
    print(
        "* no threshold was chosen by looking at this fault; no harm: runs that took none, and how many have a finding"
    )
    print(
        f"broken: the training got less far than its healthy twin by {HARM} of the way to the data, or the data are at fault"
    )
    for row in result["rows"]:
        if row["part"] != "tune" and not row["fault"] and row["healthy"] is False:
            kind = "false alarm:" if row["score"] >= FAR else "not far enough to be healthy:"
            print(kind, row["method"], row["data"], row["seed"], row["found"], "score", row["score"])
    sums = result["sums"]
    print(f"{'':24} " + " ".join(f"{name:>15}" for name in sums))
    for key in sums["all_seeds"]:
        values = [of_group[key] for of_group in sums.values()]
        print(f"{key:24} " + " ".join(f"{one:15.3f}" if isinstance(one, float) else f"{one:15}" for one in values))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, threads=1)
    parser.add_argument("what", choices=("train", "fix", "report", "expect"))
    parser.add_argument("--bank", type=Path, required=True)
    parser.add_argument("--part", default="all", choices=("tune", "report", "healthy", "held_out", "minute", "all"))
    parser.add_argument(
        "--seeds", type=int, nargs="*", default=(), help="of the parts report and healthy; default: all"
    )
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--faults", nargs="+", default=(), choices=FAULTS, help="only cases of these; default: all")
    parser.add_argument(
        "--runs", type=Path, nargs="+", default=(), help="expect: healthy trainings beside those of the bank"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where the whole report goes")
    parser.add_argument("--verbose", action="store_true")
    options = parse(parser, arguments)
    print(f"ganvas {ganvas.__version__}, {heading(facts(options))}", file=progress_file(options))
    chosen = [
        case
        for case in cases(options.part, options.seeds)
        if options.only in case.name and (not options.faults or case.fault in options.faults)
    ]
    if options.what == "train":
        train_bank(options.bank, chosen)
    elif options.what == "fix":
        fix_bank(options.bank, chosen)
    elif options.what == "expect":
        made = {
            "by": "benchmarks/doctor.py expect",
            "ganvas": ganvas.__version__,
            "progress": expect(options.bank, options.runs),
        }
        EXPECTED.write_text(json.dumps(made, indent=None) + "\n")
    else:
        result = diagnose_bank(options.bank, options.verbose)
        if options.out:
            options.out.write_text(json.dumps(result, indent=2) + "\n")
        if options.json:
            print(json.dumps(result))
        else:
            print_table(result)


if __name__ == "__main__":
    main()
