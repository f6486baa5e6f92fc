"""`ganvas stylise`: a photo in the style of a painting, by optimising the image or with a trained run."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganvas.cli import completion, exported
from ganvas.cli.options import DeviceOption, ProgressJsonOption
from ganvas.files import JsonObject

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Group, RenderableType

    from ganvas.data.photo import Photo
    from ganvas.provenance import Provenance
    from ganvas.tasks.gatys import Moment
    from ganvas.tasks.stylise import Stylised

VIDEO_FRAMES = 60  # of a video, about
FRAME_SIDE = 480  # pixels, its longer side
FRAME_SECONDS, LAST_SECONDS = 0.1, 2.0


def stylise(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The photo.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the result is written: .png, .jpg or .webp.")],
    style: Annotated[
        list[Path] | None,
        typer.Option("--style", metavar="FILE", help="A painting. May be repeated: the styles are mixed."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Shares of several styles, such as 0.7,0.3. Default: equal. With --run: of adain."
        ),
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="White where a style is applied. Of the size of CONTENT, one per style, in the same order.",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            autocompletion=completion.runs,
            help="A run of fast_style or adain, or a file of `ganvas export`, used instead of optimising: one forward pass.",
        ),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="With --run: from 0, the photo, to 1, the full style. Default: 1.")
    ] = None,
    network: Annotated[
        str,
        typer.Option(
            help="Feature extractor: vgg19, vgg16, mobilenet_v2 or efficientnet_lite0; "
            "auto: the first of them with weights on this machine."
        ),
    ] = "auto",
    weights_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The weights of the feature extractor, if they are not in a usual place."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Longer side in pixels during processing; the result has the size of CONTENT. 0: the size of CONTENT. "
            "Default: 512, with --run the size of CONTENT."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time limit. Default: none, the setting `steps` counts.")
    ] = None,
    preserve_colour: Annotated[
        bool, typer.Option("--preserve-colour", help="Keep the photo's colours and change only its luminance.")
    ] = False,
    rgb: Annotated[bool, typer.Option("--rgb", help="Allow colours in the result for a grey photo.")] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the optimisation (docs/methods/gatys.md). May be repeated."
        ),
    ] = None,
    video: Annotated[
        Path | None, typer.Option(metavar="FILE.gif|.webp|.apng", help="Also write a video of the optimisation.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise, with --set init=noise.")] = 0,
    device: DeviceOption = "auto",
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16", help="auto: bf16 if it is faster on this machine.")
    ] = "auto",
    json: ProgressJsonOption = False,
) -> None:
    """Render a photo in the style of a painting: ganvas stylise me.jpg --style painting.jpg --out out.png

    No training is needed: the image itself is optimised, from small to large, so that its features in a trained
    network match the photo's content and the painting's style. Ctrl-C writes the current image. With --run, a trained
    fast_style or adain needs one forward pass. Size, alpha, colour profile and EXIF of the photo are kept; a grey
    photo stays grey.
    """
    from ganvas.data.animation import animation_format
    from ganvas.data.photo import check_written, read_photo, write_photo
    from ganvas.errors import UsageError

    check_written(out)
    if video is not None:
        animation_format(video)
    _check_nothing_is_overwritten(out, video, [content, *(style or ()), *(mask or ())])
    if run is None and not style:
        raise UsageError("--style is missing: name a painting, or a trained run with --run")
    if run is None and strength is not None:
        raise UsageError("--strength needs a trained run: omit it, or name a run with --run")
    photo = read_photo(content)
    paintings = [read_photo(path) for path in style or ()]
    check_written(out, photo)
    if run is not None:
        refused = {"--video": video, "--mask": mask, "--minutes": minutes, "--set": assignments}
        for name, value in refused.items():
            if value:
                raise UsageError(
                    f"{name} is for the optimisation, and --run uses one forward pass instead: omit one of them"
                )
        if exported.is_exported(run):
            refused = {"--size": size, "--preserve-colour": preserve_colour, "--rgb": rgb, "--weights": weights}
            result, facts = exported.stylise(run, photo, paintings, 1.0 if strength is None else strength, refused)
            write_photo(out, result)
            _report({"out": str(out), **facts}, json)
            return
        result, facts = _by_run(
            photo, paintings, run, weights, 1.0 if strength is None else strength, size, preserve_colour, rgb, device
        )
        write_photo(out, result)
        _report({"out": str(out), **facts}, json)
        return
    watcher = Watcher(json=json, video=video is not None)
    with watcher:
        done = _optimised(
            photo, paintings, watcher, network=network, weights_file=weights_file, weights=weights, mask=mask or [],
            size=size, minutes=minutes, preserve_colour=preserve_colour, rgb=rgb, assignments=assignments or [], seed=seed,
            device=device, precision=precision,
        )  # fmt: skip
    write_photo(out, done.photo)
    facts: JsonObject = {
        "out": str(out), "network": done.network, "sha256": done.sha256, "steps": done.steps,
        "seconds": round(done.seconds, 2), "losses": done.losses, "stopped": done.stopped,
    }  # fmt: skip
    if video is not None:
        watcher.write_video(video, done.photo.provenance)
        facts["video"] = str(video)
    _report(facts, json)
    if done.stopped:
        raise typer.Exit(128 + watcher.caught)


def _check_nothing_is_overwritten(out: Path, video: Path | None, read: list[Path]) -> None:
    from ganvas.errors import UsageError

    originals = {path.resolve() for path in read}
    for option, path in (("--out", out), ("--video", video)):
        if path is not None and path.resolve() in originals:
            raise UsageError(f"the result would overwrite the input {path}: choose another {option}")
    if video is not None and video.resolve() == out.resolve():
        raise UsageError(f"the image and its video would both be written to {out}: choose another --video")


def _by_run(
    photo: Photo,
    paintings: list[Photo],
    run: Path,
    weights: str | None,
    strength: float,
    size: int | None,
    preserve_colour: bool,
    rgb: bool,
    device: str,
) -> tuple[Photo, JsonObject]:
    from ganvas.device import choose_device
    from ganvas.run import load
    from ganvas.tasks.stylise import stylise_with

    method = load(run).load_method(device=choose_device(device))
    began = time.perf_counter()
    result = stylise_with(
        method, photo, paintings or None, weights=read_shares(weights), strength=strength, size=size or None, rgb=rgb,
        colour="luminance" if preserve_colour else "free",
    )  # fmt: skip
    return result, {"run": str(run), "method": method.name, "seconds": round(time.perf_counter() - began, 2)}


def _optimised(
    photo: Photo, paintings: list[Photo], watcher: Watcher, *, mask: list[Path], weights: str | None, assignments: list[str],
    **options: Any,
) -> Stylised:  # fmt: skip
    from ganvas import tasks
    from ganvas.cli.config import read_assignments
    from ganvas.errors import UsageError

    settings, of_data = read_assignments(assignments)
    if of_data:
        raise UsageError("settings of data (data.NAME) are for training, and stylising reads no data: omit them")
    return tasks.stylise(
        photo, paintings, mask=mask or None, weights=read_shares(weights), settings=settings, watch=watcher.saw,
        stop=watcher.stopped, **options,
    )  # fmt: skip


def read_shares(text: str | None) -> list[float] | None:
    """Reads "0.7,0.3" as [0.7, 0.3]."""
    from ganvas.errors import UsageError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--weights takes numbers joined by commas, such as 0.7,0.3 (got {text})") from None


def _report(facts: JsonObject, json: bool) -> None:
    from ganvas.cli.output import print_facts, short_number, write_json

    if json:
        write_json(facts)
        return
    losses = facts.pop("losses", None)
    facts.pop("sha256", None)
    if not facts.pop("stopped", False):
        facts = {"written": facts.pop("out"), **facts}
    else:
        facts = {"stopped, written": facts.pop("out"), **facts}
    if losses:
        facts["losses"] = "  ".join(f"{name} {short_number(value)}" for name, value in losses.items())
    print_facts(facts)


class Watcher:
    """Shows the progress, collects the frames of the video, and handles Ctrl-C.

    On a terminal a live display with an image, elsewhere one line per second: `step 120 progress 40.0% loss 1.23 ...`.
    """

    def __init__(self, *, json: bool, video: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self.stream = sys.stderr
        self.console = Console(file=self.stream, highlight=False, markup=False)
        fit = self.console.is_terminal and not self.console.is_dumb_terminal and not json
        self.live = Live(console=self.console, auto_refresh=False, transient=True) if fit else None
        self.frames: list[np.ndarray] | None = [] if video else None
        self.caught = 0
        self._began, self._shown, self._previous = time.perf_counter(), 0.0, {}

    def __enter__(self) -> Watcher:
        self._previous = {number: signal.signal(number, self._catch) for number in (signal.SIGINT, signal.SIGTERM)}
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def stopped(self) -> bool:
        """Whether the user has asked to stop."""
        return self.caught > 0

    def saw(self, moment: Moment) -> None:
        """Called after each step."""
        if self.frames is not None and (len(self.frames) <= moment.share * (VIDEO_FRAMES - 1) or self.caught):
            self.frames.append(frame(moment))
        now = time.perf_counter()
        pause = 0.5 if self.live else 1.0 if now - self._began < 60 else 10.0
        if now - self._shown < pause and moment.share < 1:
            return
        self._shown = now
        if self.live:
            self.live.update(self._page(moment), refresh=True)
        else:
            print(line(moment), file=self.stream, flush=True)

    def write_video(self, path: Path, made: Provenance | None) -> None:
        """Writes the frames collected so far, all at the size of the last."""
        import numpy as np

        from ganvas.data.animation import write_animation

        frames = [resized(one, self.frames[-1].shape[:2]) for one in self.frames or ()]  # pyright: ignore
        write_animation(path, np.stack(frames), [FRAME_SECONDS] * (len(frames) - 1) + [LAST_SECONDS], made)

    def _page(self, moment: Moment) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        from ganvas.cli.blocks import can_show, half_blocks
        from ganvas.cli.output import clock_time

        width, height = self.console.width, self.console.height
        row = Table.grid(padding=(0, 1))
        left = ""
        if 0 < moment.share < 1:
            taken = time.perf_counter() - self._began
            left = f"{clock_time(taken / moment.share * (1 - moment.share))} left"
        facts = f"{moment.share:.0%}  {moment.size[1]} x {moment.size[0]}  step {moment.steps}  {left}"
        row.add_row(ProgressBar(total=1.0, completed=moment.share, width=max(10, min(40, width // 3))), Text(facts))
        parts: list[RenderableType] = [row, Text(_losses(moment), style="dim")]
        if can_show(self.console) and height > 8:
            parts.append(half_blocks(as_bytes(moment), width, 2 * (height - 4)))
        return Group(*parts)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.caught:  # asked twice: stop at once
            raise KeyboardInterrupt
        self.caught = number


def line(moment: Moment) -> str:
    """The progress in one line."""
    where = f"size {moment.size[1]}x{moment.size[0]}"
    return f"step {moment.steps} progress {moment.share:.1%} {where} {_losses(moment)}"


def _losses(moment: Moment) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in moment.losses.items())


def as_bytes(moment: Moment) -> np.ndarray:
    """The current image, (h, w, C) uint8."""
    from ganvas.sampling import to_uint8

    return to_uint8(moment.image()[None])[0]


def frame(moment: Moment) -> np.ndarray:
    """The current image as a frame of the video, (h, w, C) uint8."""
    image = as_bytes(moment)
    scale = min(1.0, FRAME_SIDE / max(image.shape[:2]))
    return resized(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))


def resized(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The image (h, w, C) uint8 at another size (height, width)."""
    from ganvas.data.image import fit

    return fit(image, (size[0], size[1]), "stretch", 0)
