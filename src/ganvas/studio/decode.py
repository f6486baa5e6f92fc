"""One upload, looked at in a process of its own with limits: `python -m ganvas.studio.decode image FILE OUT.png`.

A file from outside can be made to exhaust or to crash a decoder; here it can take no more than this process has.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from pathlib import Path

MAX_MEMORY_BYTES = 6 * 2**30  # bytes of address space
MAX_CPU_SECONDS = 60  # of processor time
MAX_OUTPUT_BYTES = 512 * 2**20  # bytes of a file that it writes
MAX_SIDE_PIXELS = 4096  # a side of what is kept


def limit(memory: int, seconds: int) -> None:
    """Limits this process and its children."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def image(path: Path, out: Path) -> dict[str, object]:
    """Writes an image as an upright PNG of 8 bits, at most 4096 pixels a side; returns its facts."""
    import io

    from PIL.Image import Resampling

    from ganvas.data.image import png_info
    from ganvas.data.metadata import read_provenance
    from ganvas.data.photo import read_photo
    from ganvas.errors import GanvasError

    photo = read_photo(path)
    try:
        made = read_provenance(path)
    except GanvasError:  # of a kind that holds no such metadata
        made = None
    shown = dataclasses.replace(photo, exif=None).to_pil()
    if max(shown.size) > MAX_SIDE_PIXELS:
        shown.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS), Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", pnginfo=png_info(made))
    out.write_bytes(buffer.getvalue())
    facts: dict[str, object] = {"height": shown.height, "width": shown.width}
    if made is not None:
        facts["made"] = {**made.as_dict(), "command_line": made.command_line()}
    return facts


def main() -> None:
    """Prints facts as JSON, or {"error": sentence} with exit code 1."""
    limit(MAX_MEMORY_BYTES, MAX_CPU_SECONDS)
    from ganvas.errors import GanvasError

    try:
        print(json.dumps(image(Path(sys.argv[1]), Path(sys.argv[2]))))
    except GanvasError as error:
        print(json.dumps({"error": str(error)}))
        sys.exit(1)
    except MemoryError:
        print(json.dumps({"error": "the image needs more memory than an upload may take: make it smaller"}))
        sys.exit(1)


if __name__ == "__main__":
    main()
