"""Makes a small run that later versions must be able to read: python tools/make_golden_run.py tests/data/runs/format-N

With what sampling from it gives (expected.npz). To be run once for each format of runs, by the version that introduced it; the
folder is committed, and tests/test_old_runs.py keeps it readable. See docs/reference/compatibility.md.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np

import ganvas

STEPS = 60
SETTINGS = {"width": 4, "z_dim": 4, "batch_size": 16, "lr": 0.01}
PRIVATE = ("command", "git", "machine", "versions", "threads")  # of the machine, which is nobody's business here


def main(folder: Path) -> None:
    """Trains, keeps one checkpoint, and writes down four images of it."""
    run = ganvas.train(
        "dcgan", "digits", out=folder, steps=STEPS, settings=SETTINGS, data_settings={"size": "16"}, seed=1, device="cpu",
        precision="fp32", samples=64, evaluate_every=10**6, checkpoint_every=10**6,
    )  # fmt: skip
    np.savez_compressed(folder / "expected.npz", images=np.asarray(run.sample(4, seed=3)))
    for kept in ("report.html", "samples", "best", "checkpoints/step-00000000"):
        path = folder / kept
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    info = json.loads((folder / "settings.json").read_text())
    for name in PRIVATE:
        info.pop(name, None)
    (folder / "settings.json").write_text(json.dumps(info, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
