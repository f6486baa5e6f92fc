"""The library in ten lines: train, sample, look at the measures.

    python examples/train_and_sample.py [--method r3gan] [--preset tiny] [--data digits] [--minutes 5]

Writes samples.png and a run folder under runs/.
"""

import argparse

import ganvas
from ganvas.data import grid, write_png

parser = argparse.ArgumentParser(description="trains a method and draws a grid of its images")
parser.add_argument("--method", default="r3gan")
parser.add_argument("--preset")
parser.add_argument("--data", default="digits", help="a name such as digits, or a folder of images")
parser.add_argument("--minutes", type=float, default=5)
options = parser.parse_args()

run = ganvas.train(options.method, options.data, preset=options.preset, minutes=options.minutes)
images = run.sample(64, seed=0)  # uint8 (64, H, W, C); the i-th is always the image of seed i
write_png("samples.png", grid(images))
print("run", run.folder, "with", images.shape, "in samples.png")
print(run.metrics)

again = ganvas.load(run.folder)  # any time later, in any other program
assert (again.sample(2, seed=1) == images[1:3]).all()
