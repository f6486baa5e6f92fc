"""Generators of the public CycleGAN and pix2pix repository compute here what they compute there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import ganvas
from foreign_networks import ResnetGenerator, UnetGenerator
from ganvas.errors import DataError, UsageError
from ganvas.foreign import import_weights


def trained(network: nn.Module) -> nn.Module:
    """With weights of a usual size, and statistics that are no defaults."""
    random = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape, generator=random) * (0.05 if tensor.ndim > 1 else 0.3))
        if name.endswith("running_var"):
            tensor.copy_(tensor.abs() + 0.5)
    return network.eval()


def differs(original: nn.Module, run: ganvas.Run, side: int = 32) -> float:
    """The largest difference of the outputs for random images."""
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    method = run.method
    with torch.no_grad():
        expected = original(x.clone())
    assert 0.05 < float(expected.std()) < 1
    return float((method.translate(x) - expected).abs().max())


@pytest.mark.parametrize("kind", ["cyclegan", "pix2pix"])
@pytest.mark.parametrize(("blocks", "dropout"), [(1, False), (3, True)])
def test_resnet(kind: str, blocks: int, dropout: bool) -> None:
    original = trained(ResnetGenerator(8, blocks, dropout=dropout))
    torch.save(original.state_dict(), "net_G.pth")
    run = import_weights(kind, "net_G.pth", "run", licence="BSD-2-Clause")
    assert differs(original, run) < 1e-5
    assert run.info["method"] == kind and run.info["settings"]["blocks"] == blocks
    assert run.method.get_submodule("G_AB" if kind == "cyclegan" else "G") is not None


def test_resnet_with_batch_norm() -> None:
    original = trained(ResnetGenerator(8, 2, norm="batch"))
    save_file(original.state_dict(), "net_G.safetensors")
    assert differs(original, import_weights("pix2pix", "net_G.safetensors", "run", licence="unknown")) < 1e-5
    with pytest.raises(UsageError, match="norm must be one of instance, none"):
        import_weights("cyclegan", "net_G.safetensors", "run2", licence="unknown")


@pytest.mark.parametrize(("norm", "depth"), [("batch", 3), ("batch", 5), ("instance", 4)])
def test_unet(norm: str, depth: int) -> None:
    original = trained(UnetGenerator(4, depth, norm))
    # As DataParallel saves it.
    torch.save({f"module.{name}": tensor for name, tensor in original.state_dict().items()}, "net_G.pth")
    side = 64 if norm == "instance" else 32
    assert differs(original, import_weights("pix2pix", "net_G.pth", "run", licence="unknown"), side) < 1e-5


def test_old_files_with_statistics_of_instance_norm() -> None:
    """PyTorch 0.3 kept running statistics that nothing reads."""
    original = trained(ResnetGenerator(8, 1))
    state = dict(original.state_dict())
    for place in (2, 5, 8, 12, 15):
        state[f"model.{place}.running_mean"] = state[f"model.{place}.running_var"] = torch.full((4,), 9.0)
    torch.save(state, "net_G.pth")
    assert differs(original, import_weights("cyclegan", "net_G.pth", "run", licence="unknown")) < 1e-5


def test_it_is_a_run_as_any(tmp_path: Path) -> None:
    torch.save(trained(ResnetGenerator(8, 1)).state_dict(), "net_G.pth")
    run = import_weights("cyclegan", "net_G.pth", "run", licence="unknown")
    photos = np.random.default_rng(0).integers(0, 256, (2, 30, 41, 3)).astype(np.uint8)
    translated = run.translate(photos)
    assert translated.shape == photos.shape
    with pytest.raises(UsageError, match="translates ab"):
        run.translate(photos, "ba")
    again = ganvas.load(run.save_pretrained("copy", card=True))
    np.testing.assert_array_equal(again.translate(photos), translated)
    assert again.info["imported"] == run.info["imported"]
    assert "were not trained by ganvas" in Path("copy/README.md").read_text()


def test_other_networks_are_refused() -> None:
    state = trained(ResnetGenerator(8, 1)).state_dict()
    for change, message in [
        ({"model.99.weight": torch.zeros(3)}, "1 tensors that cyclegan has no place for"),
        ({"model.1.weight": torch.zeros(8, 3, 5, 5)}, r"has the shape \(8, 3, 5, 5\)"),
        ({"model.1.weight": torch.zeros(8, 3, 7, 7, dtype=torch.int64)}, "needs"),
        ({"model.18.weight": torch.zeros(5, 8, 7, 7), "model.18.bias": torch.zeros(5)}, "takes 3 channels and gives 5"),
        ({"model.1.weight": torch.full((8, 3, 7, 7), torch.nan)}, "not finite"),
    ]:
        torch.save({**state, **change}, "net_G.pth")
        with pytest.raises(DataError, match=message):
            import_weights("cyclegan", "net_G.pth", "run", licence="unknown")
    assert not Path("run").exists()
