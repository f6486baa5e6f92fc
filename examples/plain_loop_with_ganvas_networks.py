"""Your own loop, our networks and losses: any method of ganvas in plain PyTorch.

    python examples/plain_loop_with_ganvas_networks.py [--method dcgan] [--preset tiny] [--steps 500]

A method is an nn.Module that says what it optimises: `optimizers()` by key, and `updates()`, each of which trains one of them
with a pure loss of a batch. The library's Trainer adds what this loop omits: averages, precision, processes, recovery.
"""

import argparse

import torch
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import ganvas
from ganvas.method import Batch
from ganvas.tasks import sample

parser = argparse.ArgumentParser()
parser.add_argument("--method", default="dcgan")
parser.add_argument("--preset", default=None)
parser.add_argument("--steps", type=int, default=500)
options = parser.parse_args()

data = ganvas.open_data("digits")
images = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1  # (N, C, H, W) in [-1, 1]
method = ganvas.create(options.method, options.preset)
method.setup(data.spec)
method.train()
optimizers = method.optimizers()
sampler = RandomSampler(images, replacement=True, num_samples=options.steps * method.batch_size)
loader = DataLoader(TensorDataset(images), method.batch_size, sampler=sampler)

for step, (real,) in enumerate(loader):
    batch = Batch(real, generator=torch.Generator().manual_seed(step))
    for update in method.updates():
        if step % update.every:
            continue
        optimizer = optimizers[update.trains]
        report = update.loss(batch)
        optimizer.zero_grad()
        # Only what this update trains collects gradients; a kept graph is shared with the updates after it.
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        report["loss"].backward(inputs=parameters, retain_graph=update.keeps_graph)
        optimizer.step()
        with torch.no_grad():
            update.after(report, batch)
        if step % 100 == 0:
            print(step, update.name, {"loss": report["loss"].item()})

print(sample(method.eval(), 4, seed=0).shape)
