"""Sound inside a page: the newest samples as a data URI, of bounded size."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

from ganvas.report.images import files_by_step
from ganvas.report.markup import Html, number, tag

MAX_SOUND_BYTES = 700 * 2**10  # of sound on a page, before base64 adds a third; what is longer is cut


def listen(folder: Path) -> Html:
    """A player of the newest samples/STEP.wav; nothing where there is none that can be read."""
    files = files_by_step(folder, ".wav")
    if not files:
        return Html()
    step, path = files[-1]
    sound = _bounded(path)
    if sound is None:
        return Html()
    address = "data:audio/wav;base64," + base64.b64encode(sound).decode()
    label = f"Samples of step {number(step)}, one after another"
    player = tag("audio", controls=True, preload="metadata", src=address, aria_label=label)
    return tag("figure", player, tag("figcaption", label))


def _bounded(path: Path) -> bytes | None:
    """The file, or as much sound of it as the bound allows; None for one that is not as we write it."""
    try:
        with wave.open(str(path)) as file:
            width = file.getnchannels() * file.getsampwidth()
            content = file.readframes(MAX_SOUND_BYTES // width)
            shortened = io.BytesIO()
            with wave.open(shortened, "wb") as writer:
                writer.setnchannels(file.getnchannels())
                writer.setsampwidth(file.getsampwidth())
                writer.setframerate(file.getframerate())
                writer.writeframes(content)
    except (OSError, EOFError, wave.Error):
        return None
    return shortened.getvalue()
