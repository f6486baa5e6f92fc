"""Trained weights of other projects as runs: read as data, renamed, checked, kept with their SHA-256 and licence.

    from ganvas.foreign import import_weights

    run = import_weights("esrgan", "RRDB_ESRGAN_x4.pth", "runs/esrgan", licence="Apache-2.0")
    run.restore("photo.jpg")[0].save("out.png")

files.py        reads .pth, .safetensors, ONNX and TensorFlow.js files as tensors by name; nothing in them is executed
layouts.py      what a layout is; translators.py, upscalers.py, styles.py: those that are known
importing.py    from a file to a run folder
"""

from ganvas.foreign.importing import KINDS, import_weights
from ganvas.foreign.layouts import Layout, Request

__all__ = ["KINDS", "Layout", "Request", "import_weights"]
