"""A run: the folder that a training leaves, and everything a later command needs.

RUN/settings.json         method, data, every setting, budget, seed, versions, command
    weights.safetensors   "average.*" (for sampling) and "method.*" (as trained)
    log.jsonl             one JSON object a line: rows of numbers, metrics, events
    data.json             the data card
    metrics.json          the newest metrics
    audit.json            the newest audit, where there was one
    explain.json          the newest explanation, where there was one
    augment.json          what was generated of each class for a classifier the last time, where there was something
    samples/              grids of the same seeds over time, STEP.png
    best/                 weights and metrics of the best step so far
    checkpoints/          the training's whole state, for --resume
    report.html           one page, no network
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, overload

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganvas import old_names
from ganvas.build_limit import BuildLimit
from ganvas.card import card
from ganvas.data.spec import DataSpec
from ganvas.defaults import IMPORTANCE_SAMPLES, MEASURED_SEED
from ganvas.device import choose_device
from ganvas.errors import DataError, GanvasError, RunError, UsageError, shortened
from ganvas.figure import figures_as_dict, read_figures
from ganvas.files import JsonObject, explained, parse_json, read_json, sha256, write_bytes, write_text
from ganvas.hub import (
    MANIFEST,
    PREFIX,
    README,
    SAMPLES,
    Address,
    Pushed,
    address_of,
    check_manifest,
    checked_name,
    download,
    facts_of,
    model_card,
    upload,
    write_manifest,
)
from ganvas.method import Method
from ganvas.pretrained import CONFIG, LIBRARY, MODEL, config_of, without_machine
from ganvas.provenance import Provenance
from ganvas.registry import create
from ganvas.strict_json import dumps

if TYPE_CHECKING:
    from PIL.Image import Image

    from ganvas.data import Dataset
    from ganvas.data.image_array import ImageArray
    from ganvas.data.photo import ImageLike, Photo
    from ganvas.doctor import Diagnosis
    from ganvas.figure import Figure
    from ganvas.tasks.audit import Audit
    from ganvas.tasks.augment import Augmented
    from ganvas.tasks.editor import Editor
    from ganvas.tasks.explain import Explanation
    from ganvas.tasks.invert import Inversion

RUN_FORMAT = old_names.RUN_FORMATS[-1]
INFO_TYPES = (  # of what settings.json must hold, and in words
    (dict, ("settings", "data_settings", "spec", "budget"), "names and values"),
    (str, ("method", "data", "precision", "fingerprint"), "text"),
    (int, ("seed",), "an integer"),
)
SHOWN_FIGURES = 8  # in a notebook
RUN_PLACES = (".", "runs")  # folders with runs, seen from where a command runs
MAX_FOLDERS = 1000  # of one place that are looked at
BUILD_ERRORS = (  # what building networks of settings that make no sense can end in
    RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError, MemoryError,
)  # fmt: skip
CARD_SAMPLES = 16  # on a model card
BUNDLE = {CONFIG, MODEL, README, SAMPLES, MANIFEST}  # the files of a model that is shared

Device = str | torch.device


class Run:
    """A run folder, opened for reading. `ganvas.load(path)` makes one."""

    def __init__(self, folder: Path | str, name: str = "") -> None:
        self.folder = Path(folder)
        self.info = read_info(self.folder)
        self._name = name

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: method, data, steps, figures and the newest grid of samples."""
        facts = {"folder": self.folder, "method": self.info["method"], "data": self.spec.name, "shape": self.spec.shape}
        for name, value in self.info["budget"].items():
            if value:
                facts[name] = f"{value:g}"
        for name, figure in list(read_figures(self.metrics.get("metrics", {})).items())[:SHOWN_FIGURES]:
            beside = "" if figure.reference is None else f" (reference {figure.reference:.3g})"
            facts[name] = f"{figure.value:.3g}{beside}"
        verdict = self.audit_verdict()
        if verdict:
            facts["audit"] = verdict
        return card(f"Run {self.name}", facts, self._newest_grid())

    def _newest_grid(self) -> bytes | None:
        """The newest grid of samples as a PNG of bounded size; None where there is none."""
        from ganvas.data.image import read_image
        from ganvas.data.image_array import ImageArray

        grids = sorted((self.folder / "samples").glob("*.png"))
        return ImageArray(read_image(grids[-1]))._repr_png_() if grids else None

    @property
    def name(self) -> str:
        """The folder's own name; of a model of the hub its name there."""
        return self._name or self.folder.resolve().name

    @property
    def spec(self) -> DataSpec:
        """Shape and facts of the data that it was trained on."""
        try:
            # Earlier runs recorded alpha among the data settings only.
            alpha = self.info["data_settings"].get("alpha", "white")
            return DataSpec.from_dict({"alpha": alpha, **self.info["spec"]})
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise RunError(
                f"{self.folder / 'settings.json'} is damaged: spec does not describe data ({shortened(error)})"
            ) from error

    @property
    def method(self) -> Method:
        """The trained method with the averaged weights, in eval mode, on the CPU."""
        return self._ready(raw=False, best=False, device="cpu")

    @property
    def is_pretrained(self) -> bool:
        """Whether the folder is one of `save_pretrained`: config and weights, without the training."""
        return not (self.folder / "settings.json").is_file()

    def save_pretrained(
        self, folder: Path | str, *, best: bool = False, card: bool = False, name: str = "", licence: str = ""
    ) -> Path:
        """Writes config.json and model.safetensors, all that `ganvas.from_pretrained` needs, into a folder; returns it.

        The weights are those that sampling takes (the moving average), with `best` those of the best step. `card` also writes
        README.md (a model card named `name`, owner/name on the hub, or the folder's), samples.png and manifest.json. `licence` is
        that of the weights, such as cc-by-4.0. No path and no user name of this machine is written, and no training image.
        UsageError where the folder holds something else.
        """
        folder = Path(folder)
        if folder.exists() and not (folder.is_dir() and {one.name for one in folder.iterdir()} <= BUNDLE):
            raise UsageError(f"{folder} holds something else: name a new folder")
        method = self.load_method(best=best)
        weights = save({name: value.contiguous() for name, value in method.state_dict().items()}, {"format": "pt"})
        write_bytes(folder / MODEL, weights)
        config = self.config(hashlib.sha256(weights).hexdigest(), best=best)
        if licence:
            config["licence"] = licence
        if card:
            self._write_card(folder, config, method, name or folder.resolve().name, best)
        write_text(folder / CONFIG, dumps(config, indent=2))
        if card:
            write_manifest(folder, [one for one in (CONFIG, MODEL, SAMPLES) if (folder / one).is_file()])
        return folder

    def _write_card(self, folder: Path, config: JsonObject, method: Method, name: str, best: bool) -> None:
        """Writes README.md and samples.png, and puts what the card says into `config`."""
        from ganvas import tasks
        from ganvas.abilities import Samples
        from ganvas.data.image import write_png
        from ganvas.data.kinds import KINDS
        from ganvas.tasks.demonstration import demonstration

        if not self.is_pretrained:
            diagnosis = self.doctor() if (self.folder / "log.jsonl").is_file() else None
            audited = {} if best else self.audited  # an audit is of the weights of the end
            config["facts"] = without_machine(facts_of(self.info, self.data_card, audited, diagnosis))
        grid = text = None
        caption = f"Samples of the seeds 0 to {CARD_SAMPLES - 1}, not selected."
        if isinstance(method, Samples):
            kind = KINDS[self.spec.kind]
            samples = tasks.sample(method, CARD_SAMPLES if kind.is_image else 1, seed=0)
            grid, text = kind.image_grid(samples, self.spec), kind.text(samples)
        elif shown := demonstration(method):
            grid, caption = shown.image, shown.caption
        if grid is not None:
            write_png(folder / SAMPLES, grid)
        write_text(folder / README, model_card(config, name, caption="" if grid is None else caption, text=text))

    def push_to_hub(
        self, name: str, *, licence: str = "", best: bool = False, private: bool = False, revision: str | None = None,
        message: str = "",
    ) -> Pushed:  # fmt: skip
        """Uploads the model to owner/name on the Hugging Face hub with a card and a manifest, as `save_pretrained` writes them
        with `card`; returns the commit's URL and its revision.

        The hub's own login counts (HF_TOKEN or `hf auth login`). `revision` is a branch (None: main). RunError where the hub
        refuses, MissingExtra without huggingface_hub.
        """
        name = checked_name(name)
        with tempfile.TemporaryDirectory(prefix="ganvas-") as place:
            folder = self.save_pretrained(Path(place) / "model", best=best, card=True, name=name, licence=licence)
            return upload(folder, name, private=private, revision=revision, message=message)

    def config(self, sha256: str, *, best: bool = False) -> JsonObject:
        """What is written of the run beside weights of that SHA-256: method, settings, data, figures; no path of this machine."""
        return config_of(self.info, self._json("best/metrics.json") if best else self.metrics, sha256)

    def load_method(
        self, *, raw: bool = False, best: bool = False, device: str | torch.device = "cpu",
        settings: Mapping[str, object] | None = None,
    ) -> Method:  # fmt: skip
        """The trained method in eval mode. `raw`: without the moving average; `best`: of the best step instead of the last;
        `settings`: new values of those that only sampling reads."""
        if self.is_pretrained and (raw or best):
            raise RunError(f"{self.folder} holds one set of weights, without raw and best ones: omit --raw and --best")
        weights = self.read_weights(best=best)
        method = create(self.info["method"], None, self.info["settings"])
        if settings:
            method = _sampled_with(method, settings)
        spec = self.spec
        # Building draws initial weights, which are then replaced: the caller's random state must not notice.
        try:
            with torch.random.fork_rng(devices=[]), BuildLimit([one.numel() for one in weights.values()], self.folder):
                method.setup(spec)
        except BUILD_ERRORS as error:
            raise RunError(
                f"{self.folder} is damaged: its settings do not describe networks that can be built"
                f" ({type(error).__name__}: {shortened(error)})"
            ) from error
        self._drop_what_is_lacking(method)
        try:
            if self.is_pretrained:
                method.load_state_dict(weights)
            else:
                method.load_state_dict(_under("method.", weights))
            if not raw and not self.is_pretrained:
                for name in method.averaged:
                    method.get_submodule(name).load_state_dict(_under(f"average.{name}.", weights))
        except RuntimeError as error:
            raise RunError(
                f"the weights of {self.folder} do not fit its settings.json. They are those of another run, or of a ganvas that"
                f" builds {method.name} in another way: copy the whole folder again, or sample with that ganvas"
                f" ({shortened(error)})"
            ) from error
        method.loaded_from = self.provenance(method, raw=raw, best=best)
        return method.requires_grad_(False).eval().to(device)

    def _drop_what_is_lacking(self, method: Method) -> None:
        """Deletes the parts of a method that imported weights do not have, such as a discriminator."""
        for name in self.info.get("lacks", ()):
            if name not in method._modules and name not in method._buffers:
                raise RunError(
                    f"{self.folder / CONFIG} is damaged: {method.name} has no part {name!r} that could be lacking"
                )
            delattr(method, name)

    def provenance(self, method: Method, *, raw: bool = False, best: bool = False) -> Provenance:
        """What files say that `method`, loaded with these weights, makes: name of the run, hash of the weights, settings."""
        read = {name: method.settings()[name] for name in method.of_sampling}
        made = Provenance(run=self.name, method=method.name, weights=self.weights_hash(best=best), settings=read)
        return made.with_options(raw=raw, best=best)

    def weights_hash(self, *, best: bool = False) -> str:
        """SHA-256 of the weights' file, read once only as long as the file does not change."""
        path = self.weights_file(best=best)
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = sha256(path)
        return self._hashes[key]

    def weights_key(self, *, raw: bool = False, best: bool = False) -> str:
        """What latent points and directions belong to: `weights_hash`, and whether the average was omitted."""
        return self.weights_hash(best=best) + (" raw" if raw else "")

    def has_weights(self, digest: str) -> bool | None:
        """False where its last weights have that SHA-256, True where its best ones do, None where neither."""
        for best in (False, True):
            try:
                if self.weights_hash(best=best) == digest:
                    return best
            except RunError:  # it has none of these
                continue
        return None

    @functools.cached_property
    def _hashes(self) -> dict[tuple[str, int, int], str]:
        return {}

    def weights_file(self, *, best: bool = False) -> Path:
        """Where the newest weights lie (or the best ones); RunError where none are saved yet."""
        if self.is_pretrained:
            return self.folder / MODEL
        path = self.folder / ("best/weights.safetensors" if best else "weights.safetensors")
        if not path.is_file():
            raise RunError(
                f"{path} is missing: this run has saved no weights yet. Train on with: ganvas train --resume {self.folder}"
            )
        return path

    def read_weights(self, *, best: bool = False) -> dict[str, Tensor]:
        """The tensors of weights.safetensors by name."""
        path = self.weights_file(best=best)
        if self.is_pretrained and sha256(path) != self.info.get("sha256"):
            raise RunError(f"{path} is not the file that {CONFIG} names by its SHA-256: copy the folder again")
        try:
            return old_names.read_weights(self.info["method"], load_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(
                f"{path} is damaged ({error}). Each resume writes it anew: ganvas train --resume {self.folder}"
            ) from error

    # --- tasks: each is a function of ganvas.tasks too, for a method that is loaded already ---------------------------------
    #
    # `raw` takes the weights without their moving average, `best` those of the best step instead of the last. `device` is auto (a
    # GPU if there is one), cpu, cuda, cuda:N or mps.

    def sample(
        self, n: int = 64, *, seed: int = 0, label: int | str | None = None, prompt: str | None = None,
        motion: int | None = None, settings: Mapping[str, object] | None = None, like: Path | str | None = None,
        raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> Any:  # fmt: skip
        """`n` new images as an ImageArray, uint8 (n, H, W, C); of other kinds clips int16 (n, L), or a list of texts. Number i is
        that of seed `seed + i`, whatever n is.

        `label`, a class by number or name, asks a class-conditional method for that class only; `prompt` is a text to continue
        from; `motion` is the seed whose motion all videos get. `settings` are those that only sampling reads, such as
        temperature. `like` is a file that `sample` wrote: its images are made again, and all other arguments but `device` are
        those of the file. RunError where this run does not have the weights that made it.
        """
        from ganvas import tasks

        if like is not None:
            from ganvas.tasks.like import wanted

            again = wanted(like)
            best = find_run(again.made, like, self)[1]
            n, seed, label, prompt, motion = again.n, again.seed, again.label, again.prompt, again.motion
            settings, raw = again.settings, again.raw
        if settings:
            method = self.load_method(raw=raw, best=best, device=choose_device(str(device)), settings=settings)
        else:
            method = self._ready(raw, best, device)
        return tasks.sample(method, n, seed=seed, label=label, prompt=prompt, motion=motion)

    def edit(
        self, images: ImageLike | None = None, *, traverse: bool = False, interpolate: tuple[int, int] | None = None,
        code: Sequence[str] | None = None, seeds: str | int | Iterable[int] = "0-7", values: int = 10, steps: int = 8,
        find: bool = False, how: str = "pca,sefa,probe", count: int = 10, direction: Sequence[str] | None = None,
        keep: Sequence[str] | None = None, both: bool = False, reach: str | None = None, arithmetic: str | None = None,
        save: str | None = None, walk: bool = False, mix: tuple[str, str] | None = None, layers: str | None = None,
        noise: Sequence[str] | None = None, truncation: float = 1.0, space: str = "auto", label: str | None = None,
        frames: int = 24, inversion_steps: int = 300, raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> ImageArray:  # fmt: skip
        """One image that shows an edit: codes, interpolation, directions, arithmetic, style mixing; see `ganvas.tasks.edit`. The
        parts, with tables of what changes, are methods of `editor()`."""
        from ganvas.tasks.edit import EditRequest, edit_with, plain_edit

        request = EditRequest(
            traverse=traverse, interpolate=interpolate, code=code, seeds=seeds, values=values, steps=steps, find=find, how=how,
            count=count, direction=direction, keep=keep, both=both, reach=reach, arithmetic=arithmetic, save=save, walk=walk,
            mix=mix, layers=layers, noise=noise, truncation=truncation, space=space, label=label, frames=frames,
            inversion_steps=inversion_steps,
        )  # fmt: skip
        request.check(images is not None)
        if traverse or interpolate is not None:
            return plain_edit(self._ready(raw, best, device), request).image
        return edit_with(self.editor(space, raw=raw, best=best, device=device), request, images).image

    def editor(self, space: str = "auto", *, raw: bool = False, best: bool = False, device: Device = "auto") -> Editor:
        """What edits images of this run in a latent space: along directions, which it finds and keeps in the run, by arithmetic,
        mixing and walks; see `ganvas.tasks.editor`. UsageError where the method has no such space."""
        from ganvas.tasks.editor import Editor

        weights = self.weights_key(raw=raw, best=best)
        return Editor(self._ready(raw, best, device), space, data=self.open_data, folder=self.folder, weights=weights)

    def invert(
        self, images: ImageLike, labels: np.ndarray | None = None, *, space: str = "auto", steps: int = 300,
        feature_weight: float = 0.1, prior_weight: float = 0.0, reference: int = 16, label: int | str | None = None,
        raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> Inversion:  # fmt: skip
        """The points of a latent space whose images are nearest to given ones, with PSNR and feature distance; see
        `ganvas.tasks.invert`."""
        from ganvas import tasks

        return tasks.invert(
            self._ready(raw, best, device), images, labels, space=space, steps=steps, feature_weight=feature_weight,
            prior_weight=prior_weight, reference=reference, label=label,
        )  # fmt: skip

    def encode(
        self, data: np.ndarray | Dataset | Path | str, labels: np.ndarray | None = None, *, split: str | None = None,
        device: Device = "auto",
    ) -> np.ndarray:  # fmt: skip
        """Latents of images, float32 (n, ...), or integer codes (n, L) where the method has discrete ones.

        `data` are images uint8 (n, H, W, C), a data set, or what `ganvas.open_data` takes, of which the part `split` is encoded;
        None: a data set as it is given, else its part "train".
        `labels` (n,) go with images in an array, for a class-conditional method. `decode` turns codes back into images.
        """
        from ganvas import tasks

        if not isinstance(data, np.ndarray):
            data = self.open_data(data, split=split or _split_of(data))
        return tasks.encode(self._ready(raw=False, best=False, device=device), data, labels)

    def decode(self, codes: np.ndarray, labels: np.ndarray | None = None, *, device: Device = "auto") -> ImageArray:
        """Images uint8 (n, H, W, C) of latents or codes that `encode` returned, perhaps edited."""
        from ganvas import tasks

        return tasks.decode(self._ready(raw=False, best=False, device=device), codes, labels)

    @overload
    def translate(
        self, images: np.ndarray, direction: str = "ab", *, beam: int | None = None,
        length_penalty: float | None = None, raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> ImageArray: ...  # fmt: skip
    @overload
    def translate(
        self, images: list[str] | tuple[str, ...], direction: str = "ab", *, beam: int | None = None,
        length_penalty: float | None = None, memory: bool = False, raw: bool = False, best: bool = False,
        device: Device = "auto",
    ) -> list[str]: ...  # fmt: skip
    @overload
    def translate(
        self, images: str, direction: str = "ab", *, beam: int | None = None, length_penalty: float | None = None,
        memory: bool = False, raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> Any: ...  # fmt: skip
    @overload
    def translate(
        self, images: Photo | Image | Path, direction: str = "ab", *, beam: int | None = None,
        length_penalty: float | None = None, raw: bool = False, best: bool = False, device: Device = "auto",
    ) -> Photo: ...  # fmt: skip
    def translate(
        self, images: ImageLike | list[str] | tuple[str, ...], direction: str = "ab", *, beam: int | None = None,
        length_penalty: float | None = None, memory: bool = False, raw: bool = False, best: bool = False,
        device: Device = "auto",
    ) -> ImageArray | Photo | str | list[str]:  # fmt: skip
        """Images translated into their other kind: arrays uint8 (n, H, W, C) or (H, W, C) give arrays of the same size; a path, a
        PIL image or a Photo, of any size, gives a Photo with its alpha and EXIF. RGBA arrays give RGBA. Of a run of parallel
        text a text gives its translation, a list of texts a list; each line is translated for itself.

        `direction` "ab" is from the examples that the run was trained on to their partners, "ba" the reverse. `beam`
        and `length_penalty` take the place of the run's settings, for texts. With `memory` the translation of the most
        similar training source takes the place of the method's where it is the surer one (`translate_texts`), which needs the
        data of the training. RunError where the method does not translate, UsageError where not in that direction.
        """
        from ganvas import tasks
        from ganvas.data.kinds.parallel_text import pairs_of
        from ganvas.tasks.translate_text import takes_texts

        given = {"beam": beam, "length_penalty": length_penalty}
        settings = {name: value for name, value in given.items() if value is not None}
        if settings:
            method = self.load_method(raw=raw, best=best, device=choose_device(str(device)), settings=settings)
        else:
            method = self._ready(raw, best, device)
        if memory and not takes_texts(method):
            raise UsageError(
                f"memory is for runs of parallel text, and {method.name} was trained on {method.spec.kind}: omit it"
            )
        return tasks.translate(method, images, direction, pairs_of(self.open_data()) if memory else None)

    def restore(
        self, image: ImageLike, mask: ImageLike | None = None, *,
        task: str = "auto", n: int = 1, seed: int = 0, interpolation: float | None = None, raw: bool = False, best: bool = False,
        device: Device = "auto",
    ) -> list[Photo]:  # fmt: skip
        """`n` restorations of an image of any size: denoised, upscaled or inpainted, whichever the run was trained for; see
        `ganvas.tasks.restore`."""
        from ganvas import tasks

        method = self._ready(raw, best, device)
        return tasks.restore(method, image, mask, task=task, n=n, seed=seed, interpolation=interpolation)

    def stylise(
        self, content: ImageLike, style: ImageLike | Sequence[ImageLike] | None = None, *, weights: Sequence[float] | None = None,
        strength: float | None = None, size: int | None = None, preserve_colour: bool = False, rgb: bool = False,
        device: Device = "auto",
    ) -> Photo:  # fmt: skip
        """A photo in the style that the run was trained on, or of `style`, by one forward pass; see `ganvas.tasks.stylise_with`.
        `ganvas.tasks.stylise` needs no run."""
        from ganvas.tasks.stylise import stylise_with

        return stylise_with(
            self._ready(raw=False, best=False, device=device), content, style, weights=weights,
            strength=1.0 if strength is None else strength, size=size or None,
            colour="luminance" if preserve_colour else "free", rgb=rgb,
        )  # fmt: skip

    def evaluate(
        self, data: Dataset | Path | str | None = None, *, settings: Mapping[str, Any] | None = None, samples: int | None = None,
        seed: int = MEASURED_SEED, importance_samples: int = IMPORTANCE_SAMPLES, best: bool = False, device: Device = "auto",
    ) -> dict[str, Figure]:  # fmt: skip
        """Figures by name, each with its reference and sample count; see `ganvas.tasks.evaluate`.

        `data` is what to measure against, opened with `settings` (None: the run's own data). Figures of the last weights against
        the run's own data become the run's newest, in metrics.json.
        """
        from ganvas import tasks

        if data is None and settings:
            raise UsageError("settings are about the data of `data`, which is not given")
        method = self._ready(raw=False, best=best, device=device)
        figures = tasks.evaluate(
            method, self.open_data(data, settings), samples=samples, seed=seed, importance_samples=importance_samples
        )
        if data is None and not best and not self.is_pretrained:
            self.keep_metrics(figures)
        return figures

    def audit(
        self, samples: np.ndarray | Dataset | Path | str | None = None, data: Dataset | Path | str | None = None, *,
        settings: Mapping[str, Any] | None = None, count: int = 1000, seed: int = MEASURED_SEED, tries: int = 200,
        fail_above: float | None = None, best: bool = False, device: Device = "auto",
    ) -> Audit:  # fmt: skip
        """Copies of training images among samples, duplicates, membership and extraction; see `ganvas.tasks.audit`.

        `samples`, an array uint8 (n, H, W, C), a data set or what `ganvas.open_data` takes, are audited in place of `count` of
        the run's own. `data` are the training images, opened with `settings` (None: the run's own). The audit of the run's own
        samples and data is kept in the run, audit.json.
        """
        from ganvas import tasks

        opened = self._training_images(data, settings)
        method = self._ready(raw=False, best=best, device=device)
        images = None
        if samples is not None:
            images = samples
            if not isinstance(images, np.ndarray):
                images = self.open_data(images, {"holdout": 0}, split=_split_of(images)).images
        result = tasks.audit(method, opened, images, count=count, seed=seed, tries=tries, fail_above=fail_above)
        weights, step = self._weights_of(method, best)
        result = dataclasses.replace(result, weights=weights, step=step)
        if samples is None and data is None and not best:
            self.keep_audit(result)
        return result

    def augment(
        self, data: Dataset | Path | str | None = None, *, settings: Mapping[str, Any] | None = None, per_class: int = 100,
        seed: int = MEASURED_SEED, check: bool = True, best: bool = False, device: Device = "auto",
    ) -> Augmented:  # fmt: skip
        """`per_class` labelled images of each class for a classifier, of a class-conditional run; see `ganvas.tasks.augment`.

        `data` are the labelled images that they are meant for, opened with `settings` (None: the run's own). DataError where
        the run was trained on their test images. The counts for the last weights are kept in the run, augment.json.
        """
        from ganvas import tasks
        from ganvas.tasks.augment import check_no_test_images

        if data is None and settings:
            raise UsageError("settings are about the data of `data`, which is not given")
        method = self._ready(raw=False, best=best, device=device)
        opened = self.open_data(data, settings)
        check_no_test_images(self.info, opened, self.open_data)
        result = tasks.augment(method, opened, per_class=per_class, seed=seed, check=check)
        if not best and not self.is_pretrained:
            self.keep_augmented(result, method, opened)
        return result

    def keep_augmented(self, result: Augmented, method: Method, data: Dataset) -> None:
        """Writes the counts of images that `method`, this run's last weights, generated for `data`, augment.json."""
        weights, step = self._weights_of(method, best=False)
        facts = {"data": data.name, "check": result.check_sentence, "weights": weights, "step": step}
        RunWriter(self.folder).json("augment.json", {**result.as_dict(), **facts})

    @property
    def augmented(self) -> JsonObject:
        """What was generated for a classifier the last time, as `Augmented.as_dict` has it, with the name of the data; {} where
        there was nothing. Where it is not known to be of the weights of now, `outdated` says so in words."""
        content = self._json("augment.json")
        if not content:
            return content
        return self._dated(content, "generated", "augment DATA --with")

    def keep_audit(self, result: Audit) -> None:
        """Writes an audit of the run's own samples, audit.json."""
        RunWriter(self.folder).json("audit.json", result.as_dict())

    @property
    def audited(self) -> JsonObject:
        """The newest audit of the run's own samples, as `Audit.as_dict` has it; {} where there was none.

        Where it is not known to be of the weights of now, `outdated` says so in words.
        """
        content = self._json("audit.json")
        if not content.get("verdict"):
            return content
        return self._dated(content, "audited", "audit")

    def audit_verdict(self) -> str:
        """The verdict of the newest audit, and in brackets where it is not known to be of the weights of now; "" where there was
        no audit."""
        audited = self.audited
        outdated = f" ({audited['outdated']})" if audited.get("outdated") else ""
        return str(audited.get("verdict", "")) + outdated

    def explain(
        self, data: Dataset | Path | str | None = None, *, settings: Mapping[str, Any] | None = None, space: str = "auto",
        count: int = 64, units: int = 64, seed: int = 0, raw: bool = False, best: bool = False, device: Device = "auto",
        progress: Callable[[str], None] | None = None,
    ) -> Explanation:  # fmt: skip
        """Which units make what, what each layer decides, latent dimensions that do nothing, what the discriminator looks at and
        the nearest training images at each depth; see `ganvas.tasks.explain`.

        `data` are the training images, opened with `settings` (None: the run's own; where these are gone, what needs them is left
        out). The explanation of the last weights with the run's own data is kept in the run, explain.json.
        """
        from ganvas import tasks

        opened = None
        if data is not None or settings or self._has_data():
            opened = self._training_images(data, settings)
        method = self._ready(raw, best, device)
        result = tasks.explain(method, opened, space=space, count=count, units=units, seed=seed, progress=progress)
        if data is None and not best and not raw and not self.is_pretrained:
            RunWriter(self.folder).json("explain.json", result.as_dict())
        return result

    @property
    def explained(self) -> JsonObject:
        """The newest explanation, as `Explanation.as_dict` has it; {} where there was none."""
        return self._json("explain.json")

    def doctor(self) -> Diagnosis:
        """What is wrong with the training, and one change to make; see `ganvas.tasks.doctor`."""
        from ganvas import tasks

        return tasks.doctor(self.folder)

    # --- what the tasks need --------------------------------------------------------------------------------------------

    def open_data(
        self, data: Dataset | Path | str | None = None, settings: Mapping[str, Any] | None = None, *, split: str = "train",
        progress: Callable[[int, int], None] | None = None,
    ) -> Dataset:  # fmt: skip
        """The run's own data, or other data in the shape of the run's (text in its vocabulary), opened with `settings` over the
        run's. DataError where the run was trained on another kind of data."""
        from ganvas.data import Dataset, open_data
        from ganvas.data.kinds import KINDS

        if not isinstance(data, Dataset):
            if data is None and not self.info["data"]:
                raise UsageError(
                    f"{self.folder} does not say which data it was trained on: name data of the same shape"
                )
            own = data is None or str(data) == self.info["data"]
            like = self.info["data_settings"]
            if not own:
                like = KINDS[self.spec.kind].settings_like(self.spec, like)
            source = self.info["data"] if data is None else data
            data = open_data(source, progress=progress, **{**like, **(settings or {})})
        part = data.part(split)
        if part is None:
            raise UsageError(f"{data.source} has no split {split}: split is train or test, if the data have both")
        if part.spec.kind != self.spec.kind:
            raise DataError(f"{self.folder} was trained on {self.spec.kind}, and {part.source} holds {part.spec.kind}")
        return part.coded_like(self.spec)

    def _training_images(self, data: Dataset | Path | str | None, settings: Mapping[str, Any] | None) -> Dataset:
        """As `open_data`; RunError where the run's own data are not those any more that it was trained on."""
        if data is None and settings:
            raise UsageError("settings are about the data of `data`, which is not given")
        opened = self.open_data(data, settings)
        if data is None and opened.fingerprint != self.info["fingerprint"]:
            raise RunError(
                f"{self.info['data']} holds other images now than those that {self.folder} was trained on: name the"
                " training images with data"
            )
        return opened

    def _has_data(self) -> bool:
        """Whether the data that it was trained on can be opened."""
        try:
            self.open_data()
        except GanvasError:
            return False
        return True

    def keep_metrics(self, figures: Mapping[str, Figure]) -> None:
        """Writes figures of the last weights as the run's newest, metrics.json."""
        last = self._last_row()
        newest = {
            "step": last.get("step", 0), "seconds": last.get("seconds", 0.0), "metrics": figures_as_dict(figures),
        }  # fmt: skip
        RunWriter(self.folder).json("metrics.json", newest)

    def _last_row(self) -> JsonObject:
        """The last row of the log that names a step; {} where there is none."""
        last: JsonObject = {}
        for row in self.log():
            last = row if "step" in row else last
        return last

    def _weights_step(self) -> int | None:
        """Training steps of the last weights, which are saved with each checkpoint; without checkpoints the last step logged."""
        names = [path.name.removeprefix("step-") for path in (self.folder / "checkpoints").glob("step-*")]
        saved = [int(name) for name in names if name.isdecimal()]
        step = max(saved) if saved else self._last_row().get("step")
        return step if isinstance(step, int) else None

    def _weights_of(self, method: Method, best: bool) -> tuple[str, int | None]:
        """Which weights a task looked at: SHA-256 of their file, and their step, None where nobody knows.

        The hash is that of the file as it was loaded; a training that goes on may have written another one since.
        """
        weights = method.loaded_from.weights if method.loaded_from else ""
        if best:
            step = self._json("best/metrics.json").get("step")
        else:
            step = self._weights_step() if self.has_weights(weights) is False else None
        return weights, step if isinstance(step, int) else None

    def _dated(self, content: JsonObject, done: str, command: str) -> JsonObject:
        """A result that is kept, with the sentence of `_outdated` where there is one."""
        outdated = self._outdated(content, done, command)
        return {**content, "outdated": outdated} if outdated else content

    def _outdated(self, content: JsonObject, done: str, command: str) -> str:
        """ "" where a result that is kept is of the last weights, else what is wrong with it: `done` is "audited"."""
        again = f"run `ganvas {command} RUN` again"
        weights, step = content.get("weights"), content.get("step")
        if not weights:
            return f"{done} at an unknown step: the run may have been trained further since; {again}"
        try:
            if weights == self.weights_hash():
                return ""
        except RunError:  # nothing to compare with
            return ""
        last = self._weights_step()
        if not isinstance(step, int) or last is None or step >= last:
            return f"{done} with other weights than the run has now; {again}"
        return f"{done} at step {step:,} of {last:,}; the run was trained further since: {again}"

    def _ready(self, raw: bool, best: bool, device: Device) -> Method:
        """As `load_method`, read once only."""
        device = choose_device(str(device))
        key = (raw, best, str(device))
        if key not in self._loaded:
            self._loaded[key] = self.load_method(raw=raw, best=best, device=device)
        return self._loaded[key]

    @functools.cached_property
    def _loaded(self) -> dict[tuple[bool, bool, str], Method]:
        return {}

    def log(self) -> Iterator[JsonObject]:
        """Every row of log.jsonl in order. A last line that a crash cut short is left out."""
        path = self.folder / "log.jsonl"
        if not path.is_file():
            return
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    row = parse_json(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    yield old_names.read_row(row)

    @property
    def metrics(self) -> JsonObject:
        """The newest metrics, {} where none were computed."""
        if self.is_pretrained:
            return {"metrics": self.info["metrics"]}
        return old_names.read_metrics(self._json("metrics.json"))

    @property
    def data_card(self) -> JsonObject:
        """The data card written at the start of the training."""
        return self._json("data.json")

    def _json(self, name: str) -> JsonObject:
        path = self.folder / name
        if not path.is_file():
            return {}
        return read_json(path)


def load(folder: Path | str) -> Run:
    """Opens a run folder, or `hf:owner/name`, `hf:owner/name@revision`, a model of the Hugging Face hub; RunError says what is
    wrong with it."""
    text = folder.as_posix() if isinstance(folder, Path) else folder
    if text.startswith(PREFIX):
        address = address_of(text)
        if address is None:
            raise UsageError(f"a model of the hub is hf:OWNER/NAME or hf:OWNER/NAME@REVISION (got {text})")
        return _from_hub(address)
    return Run(folder)


def from_pretrained(folder: Path | str, revision: str | None = None) -> Run:
    """Opens a folder that `Run.save_pretrained` wrote (or any run folder), or `owner/name` of the Hugging Face hub.

    A folder of that name comes first. `revision` is a branch, a tag or a commit of the hub; a commit pins the files. The hub's
    library keeps them, so that they are there without a network too. The manifest's SHA-256 are checked. RunError says what is
    wrong.
    """
    text = folder.as_posix() if isinstance(folder, Path) else folder
    if Path(folder).exists():
        if revision is not None:
            raise UsageError(
                f"{folder} is a folder of this machine, which has no revisions: omit revision, or name hf:{text}"
            )
        return Run(folder)
    address = address_of(text)
    if address is None:
        return load(folder)  # which says what is wrong
    if revision is not None:
        address = address_of(f"{address.name}@{revision}")
        if address is None:
            raise UsageError(f"revision must be a branch, a tag or a commit (got {revision!r})")
    return _from_hub(address)


def _from_hub(address: Address) -> Run:
    folder = download(address, (CONFIG, MODEL), (MANIFEST, SAMPLES, README))
    check_manifest(folder, (CONFIG, MODEL))
    return Run(folder, name=address.name)


def is_run(folder: Path | str) -> bool:
    """True where the folder holds a run's settings.json, or the config.json of `save_pretrained`."""
    if (Path(folder) / "settings.json").is_file():
        return True
    return (Path(folder) / CONFIG).is_file() and (Path(folder) / MODEL).is_file()


def find_run(made: Provenance, path: Path | str, given: Run | None = None) -> tuple[Run, bool]:
    """The run with the weights that made the image at `path`, and whether they are its best ones instead of its last.

    Looked for in `given`, or else around the image, in this folder and in runs/. RunError where no run has these weights.
    """
    if not made.weights:
        raise RunError(f"{path} does not say by which weights it was made")
    if given is not None:
        best = given.has_weights(made.weights)
        if best is None:
            raise RunError(
                f"{given.folder} does not have the weights that made {path} (SHA-256 {made.weights[:12]}...{_of_step(made)}):"
                f" it was trained on since, or it is another run. The same seed with its weights of now: --seed {made.seed}"
            )
        return given, best
    for folder in _folders(made, Path(path)):
        try:
            run = Run(folder)
            best = run.has_weights(made.weights) if run.info["method"] == made.method else None
        except GanvasError:  # somebody else's folder
            continue
        if best is not None:
            return run, best
    raise RunError(
        f"there is no run here with the weights that made {path}: {made.needs()[0]}. Name it: ganvas sample RUN --like {path}"
    )


def _of_step(made: Provenance) -> str:
    return "" if made.step is None else f", of step {made.step}"


def _folders(made: Provenance, path: Path) -> Iterator[Path]:
    """Run folders to ask: those that the image lies in, then those here, those of the same name first."""
    for folder in list(path.resolve().parents)[:3]:
        if is_run(folder):
            yield folder
    found: list[Path] = []
    for place in RUN_PLACES:
        if Path(place).is_dir():
            found += sorted(Path(place).iterdir())[:MAX_FOLDERS]
    for folder in sorted(found, key=lambda folder: folder.name != made.run):
        if is_run(folder):
            yield folder


def read_info(folder: Path) -> JsonObject:
    """settings.json, checked for format; one of an older format in the names of this version."""
    if not folder.exists():
        raise RunError(f"there is no run at {folder}: the folder does not exist")
    if not is_run(folder):
        raise RunError(
            f"{folder} is not a run: it has no settings.json. Name a run's folder; ganvas train METHOD --data DATA"
            " --out RUN makes one"
        )
    name = "settings.json" if (folder / "settings.json").is_file() else CONFIG
    info = read_json(folder / name)
    if name == CONFIG and (info.get("library") != LIBRARY or not isinstance(info.get("metrics"), dict)):
        raise RunError(f"{folder / CONFIG} is not of ganvas: Run.save_pretrained writes such a folder")
    needed = {
        "format", "ganvas", "method", "settings", "data", "data_settings", "spec", "seed", "budget", "precision", "fingerprint",
    }  # fmt: skip
    missing = sorted(needed - info.keys())
    if missing:
        raise RunError(f"{folder / name} is not of a run: it lacks {', '.join(missing)}")
    for kind, keys, what in INFO_TYPES:
        wrong = [key for key in keys if not isinstance(info[key], kind)]
        if wrong:
            raise RunError(f"{folder / name} is damaged: {', '.join(wrong)} must be {what}")
    if info["format"] not in old_names.RUN_FORMATS:
        known = " and ".join(map(str, old_names.RUN_FORMATS))
        raise RunError(
            f"{folder} was written by ganvas {info['ganvas']} in format {info['format']}; this one reads formats {known}:"
            " use the ganvas that wrote it, or train again"
        )
    return old_names.read_info(info)


class RunWriter:
    """The writing side, used by the training only. The folder is made by the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def info(self, info: Mapping[str, object]) -> None:
        """Writes settings.json."""
        write_text(self.folder / "settings.json", dumps({"format": RUN_FORMAT, **info}, indent=2))

    def tidy(self) -> None:
        """Removes what a killed process left half-written. The checkpoints tidy their own folder."""
        with explained(self.folder, "tidy"):
            for left in (*self.folder.glob(".*.part"), *self.folder.glob("*/.*.part")):
                if left.is_file():
                    left.unlink(missing_ok=True)

    def json(self, name: str, content: Mapping[str, object]) -> None:
        """Writes a JSON file of the run."""
        write_text(self.folder / name, dumps(content, indent=2))

    def row(self, row: Mapping[str, object]) -> None:
        """Appends one line to log.jsonl."""
        path = self.folder / "log.jsonl"
        with explained(path), open(path, "ab+") as log:
            # Where a crash cut the last line short, it must not take this one with it.
            if log.tell() and not _ends_a_line(log):
                log.write(b"\n")
            log.write(dumps(row).encode() + b"\n")

    def weights(self, method: nn.Module, average: nn.ModuleDict, name: str = "weights.safetensors") -> None:
        """Writes both sets of weights."""
        write_bytes(self.folder / name, weights_bytes(method, average))


def weights_bytes(method: nn.Module, average: nn.ModuleDict) -> bytes:
    """The file of both sets of weights."""
    tensors = {}
    for prefix, module in (("method.", method), ("average.", average)):
        for key, value in module.state_dict().items():
            tensors[prefix + key] = value.detach().cpu().contiguous()
    return save(tensors)


def spec_as_dict(spec: DataSpec) -> JsonObject:
    """A spec as plain values for settings.json."""
    return dataclasses.asdict(spec)


def _sampled_with(method: Method, settings: Mapping[str, object]) -> Method:
    """With new values of settings that only sampling reads; UsageError for any other."""
    changed = method.with_settings(dict(settings))
    for name in settings:
        if name not in method.of_sampling:
            can = ", ".join(method.of_sampling) or "nothing"
            raise UsageError(f"{name} was settled by training; what can be set when {method.name} samples: {can}")
    return changed


def _split_of(data: object) -> str:
    """Which split is meant where nobody says it: that of a data set itself, else what there is to train on."""
    from ganvas.data import Dataset

    return data.split if isinstance(data, Dataset) else "train"


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    matching = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            matching[name.removeprefix(prefix)] = tensor
    return matching
