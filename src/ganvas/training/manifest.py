"""What settings.json says of a training beside what was asked for: the machine, the versions, the sizes."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import torch

from ganvas.data import Dataset
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.run import spec_as_dict
from ganvas.training.engine import Engine, machine_name
from ganvas.version import __version__


def facts(method: Method, data: Dataset, engine: Engine, *, compiled: bool) -> JsonObject:
    """Plain values for settings.json."""
    networks = {name: count_parameters(network) for name, network in method.named_children()}
    return {
        "ganvas": __version__,
        "precision": engine.precision,
        "why_precision": engine.why,
        "device": str(engine.device),
        "machine": machine_name(engine.device),
        "compiled": compiled,
        "processes": engine.ranks,
        "parameters": count_parameters(method),
        "networks": networks,
        "spec": spec_as_dict(data.spec),
        "fingerprint": data.fingerprint,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "threads": torch.get_num_threads(),
        "git": git_commit(),
        "command": sys.argv,
    }


def count_parameters(network: torch.nn.Module) -> int:
    """Numbers in all parameters together."""
    return sum(parameter.numel() for parameter in network.parameters())


def git_commit() -> str | None:
    """The commit of the working folder, where it is a git checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    return done.stdout.strip() or None
