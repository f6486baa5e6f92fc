"""Networks of clips: sizes, what frames share, and a first convolution that is the usual one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.video import (
    ClipDiscriminator,
    ClipGenerator,
    MotionContentGenerator,
    MovedFrames,
    TwoStreamGenerator,
    cells,
    clip_pyramid,
)


def test_sizes_by_hand() -> None:
    assert clip_pyramid(16, 32, 32) == [(16, 32, 32), (8, 16, 16), (4, 8, 8), (2, 4, 4)]
    assert clip_pyramid(7, 9, 12) == [(7, 9, 12), (4, 5, 6), (2, 3, 3)]


@pytest.mark.parametrize("size", [(16, 32, 32), (7, 9, 12), (1, 16, 20), (5, 4, 4)], ids=str)
def test_clips_of_any_size(size: tuple[int, int, int]) -> None:
    z = torch.randn(2, 5)
    for network in (ClipGenerator, TwoStreamGenerator):
        clips = network(5, 3, size, (6, 4))(z)
        assert clips.shape == (2, 3, *size)
        assert ClipDiscriminator(3, size, (6, 4), outputs=2)(clips).shape == (2, 2)
    frames, height, width = size
    for moved, norm in ((0, "none"), (4, "none"), (4, "batch")):
        generator = MotionContentGenerator(
            3, 4, 2, frames, (3, height, width), (6, 4), norm=norm, moved=moved, pieces=2
        )
        assert generator(torch.randn(2, 3 + 4 + 2 * frames)).shape == (2, 3, *size)


def test_the_first_convolution_is_one_of_4_x_4_x_4_and_stride_2() -> None:
    network = ClipDiscriminator(2, (8, 8, 8), (3,))
    x = torch.randn(2, 2, 8, 8, 8)
    first = network.convs[0]
    assert isinstance(first, nn.Conv3d)
    # Channels of a cell are (C, time, row, column); place (2 a + i) of a 4-wide kernel is place a of the cells, value i.
    kernel = first.weight.view(3, 2, 2, 2, 2, 2, 2, 2).permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(3, 2, 4, 4, 4)
    expected = F.conv3d(x, kernel, first.bias, stride=2, padding=1)
    torch.testing.assert_close(first(cells(F.pad(x, (1, 1, 1, 1, 1, 1)))), expected, rtol=1e-4, atol=1e-5)


def test_frames_share_content_and_a_frame_knows_no_later_noise() -> None:
    torch.manual_seed(0)
    generator = MotionContentGenerator(3, 4, 2, 5, (1, 8, 8), (6, 4))
    z = torch.randn(1, 3 + 4 + 10)
    changed = z.clone()
    changed[:, 3 + 4 + 2 * 3 : 3 + 4 + 2 * 4] += 1  # the noise of the fourth frame
    with torch.no_grad():
        before, after = generator(z)[0, 0], generator(changed)[0, 0]
        other = generator(torch.cat([z[:, :3] + 1, z[:, 3:]], 1))[0, 0]
    assert torch.equal(before[:3], after[:3])
    assert all(not torch.equal(before[frame], after[frame]) for frame in (3, 4))
    assert all(not torch.equal(before[frame], other[frame]) for frame in range(5))


def test_pieces_move_by_their_affine_maps() -> None:
    """Sampled one column of features further to the right, a frame moves to the left by two pixels, all of it or half of its
    channels."""
    torch.manual_seed(0)
    network = MovedFrames(3, 2, (1, 16, 16), (6, 4), 4, pieces=2)
    content, motion = torch.randn(2, 3), torch.randn(2, 5, 2)
    with torch.no_grad():
        alone = network(content[1:], motion[1:, 2:3])  # a frame knows its own clip and code only
        torch.testing.assert_close(network(content, motion)[1:, :, 2:3], alone, rtol=1e-4, atol=1e-5)
        network.affine.weight.zero_()
        still = network(content, motion)
        torch.testing.assert_close(still[:, :, 1:], still[:, :, :1].expand(-1, -1, 4, -1, -1))
        shifts = network.affine.bias.view(2, 2, 3)[:, 0, 2]
        shifts.fill_(2 / 8)
        moved = network(content, motion)
        torch.testing.assert_close(moved[..., 4:-6], still[..., 6:-4], rtol=1e-4, atol=1e-5)
        shifts[1] = 0.0
        half = network(content, motion)
    assert not torch.allclose(half[..., 4:-6], still[..., 6:-4], atol=1e-3)
    assert not torch.allclose(half, still, atol=1e-3)


def test_the_background_stands_where_the_mask_is_0() -> None:
    network = TwoStreamGenerator(4, 1, (8, 8, 8), (3,))
    last = network.moving.convs[-1]
    assert isinstance(last, nn.ConvTranspose3d)
    z = torch.randn(2, 4)
    with torch.no_grad():
        assert last.bias is not None
        last.bias[0] = -100.0
        clips = network(z)
        torch.testing.assert_close(clips, network.still(z)[:, :, None].expand(-1, -1, 8, -1, -1))
        last.bias[0] = 100.0
        torch.testing.assert_close(network(z), network.moving(z)[:, 1:])


def test_initial_variances_are_kept() -> None:
    torch.manual_seed(0)
    size = (16, 32, 32)
    generator, discriminator = ClipGenerator(64, 1, size, (32, 16, 8)), ClipDiscriminator(1, size, (32, 16, 8))
    seen: list[float] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        seen.append(float(outputs.std()))

    for conv in (*list(generator.convs)[:-1], *discriminator.convs):
        conv.register_forward_hook(note)
    with torch.no_grad():
        generator(torch.randn(8, 64))
        discriminator(torch.randn(8, 1, *size))
    assert len(seen) == 5 and all(0.6 < one < 2.2 for one in seen), seen
