"""ESRGAN, Real-ESRGAN, MSRResNet and UpscalerJS' slim networks compute here what they compute there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganvas
from foreign_networks import (
    MSRResNet,
    RRDBNet,
    SRVGGNetCompact,
    rrdb_of_2018,
    rrdb_of_2019,
    slim_network,
    write_tfjs,
)
from ganvas.errors import DataError
from ganvas.foreign import import_weights


def differs(original: Callable[[Tensor], Tensor], run: ganvas.Run) -> float:
    """The largest difference of the outputs for random images, in [-1, 1]; the original works in [0, 1]."""
    x = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = original(x) * 2 - 1
    ours = run.method.get_submodule("G")(x * 2 - 1)
    assert ours.shape == expected.shape and float(expected.std()) > 0.05
    return float((ours - expected).abs().max())


def trained(network: nn.Module) -> nn.Module:
    random = torch.Generator().manual_seed(0)
    for tensor in network.state_dict().values():
        fan_in = tensor[0].numel() if tensor.ndim == 4 else 4
        tensor.copy_(torch.randn(tensor.shape, generator=random) / fan_in**0.5)
    return network.eval()


@pytest.mark.parametrize("renamed", [dict, rrdb_of_2019, rrdb_of_2018])
def test_esrgan(renamed: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    original = trained(RRDBNet(8, 2))
    torch.save({"params_ema": renamed(original.state_dict())}, "esrgan.pth")
    run = import_weights("esrgan", "esrgan.pth", "run", licence="Apache-2.0")
    assert differs(original, run) < 1e-5
    assert run.info["settings"]["scale"] == 4 and run.info["settings"]["blocks"] == 2


def test_real_esrgan_x2() -> None:
    original = trained(RRDBNet(8, 1, scale=2))
    torch.save(original.state_dict(), "esrgan.pth")
    run = import_weights("esrgan", "esrgan.pth", "run", licence="BSD-3-Clause")
    assert differs(original, run) < 1e-5
    assert run.method.get_submodule("G")(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)  # odd sizes are padded inside


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_srresnet(scale: int) -> None:
    original = trained(MSRResNet(8, 2, scale))
    torch.save(original.state_dict(), "srresnet.pth")
    assert differs(original, import_weights("srresnet", "srresnet.pth", "run", licence="unknown")) < 1e-5


@pytest.mark.parametrize(("scale", "blocks"), [(2, 1), (4, 3)])
def test_compact(scale: int, blocks: int) -> None:
    original = trained(SRVGGNetCompact(8, blocks, scale))
    torch.save({"params": original.state_dict()}, "compact.pth")
    run = import_weights("compact", "compact.pth", "run", licence="BSD-3-Clause")
    assert differs(original, run) < 1e-5 and run.info["settings"]["blocks"] == blocks


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_slim(scale: int) -> None:
    model = write_tfjs(Path("slim"), scale)
    run = import_weights("esrgan_slim", model, "run", licence="MIT")
    assert differs(lambda x: slim_network(model, x * 255, scale) / 255, run) < 1e-5


def test_it_restores_as_any_run() -> None:
    run = import_weights("esrgan_slim", write_tfjs(Path("slim"), 2), "run", licence="MIT")
    photo = np.random.default_rng(0).integers(0, 256, (20, 17, 3)).astype(np.uint8)
    assert run.restore(photo)[0].pixels.shape[1:] == (40, 34)
    with pytest.raises(ganvas.GanvasError, match="no weights to interpolate with"):
        run.restore(photo, interpolation=0.5)


def test_other_networks_are_refused() -> None:
    state = trained(RRDBNet(8, 1)).state_dict()
    for change, message in [
        ({"body.0.rdb1.conv1.weight": torch.zeros(3, 8, 3, 3), "body.0.rdb1.conv1.bias": torch.zeros(3)}, "grow by 3"),
        ({"conv_first.weight": torch.zeros(8, 48, 3, 3)}, "takes 48 channels and gives 3"),
        ({"conv_up3.weight": torch.zeros(8, 8, 3, 3), "conv_up3.bias": torch.zeros(8)}, None),
        ({f"conv_up{n}.weight": torch.zeros(8, 8, 3, 3) for n in range(3, 6)}, "no tensor conv_up3.bias"),
    ]:
        torch.save({**state, **change}, "esrgan.pth")
        if message is None:
            assert import_weights("esrgan", "esrgan.pth", "run8", licence="x").info["settings"]["scale"] == 8
            continue
        with pytest.raises(DataError, match=message):
            import_weights("esrgan", "esrgan.pth", "run", licence="unknown")


def test_a_model_json_that_leads_elsewhere(tmp_path: Path) -> None:
    model = write_tfjs(tmp_path / "slim", 2)
    content = json.loads(model.read_text())
    (tmp_path / "secret.bin").write_bytes(b"secret" * 1000)
    (tmp_path / "slim" / "link.bin").symlink_to(tmp_path / "secret.bin")
    for name in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin", "..", "", "a\\b", 3, None, "missing.bin"):
        content["weightsManifest"][0]["paths"] = [name]
        model.write_text(json.dumps(content))
        with pytest.raises(DataError, match="beside it"):
            import_weights("esrgan_slim", model, "run", licence="MIT")
