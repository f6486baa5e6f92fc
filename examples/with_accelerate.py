"""A method of ganvas in a loop of Hugging Face accelerate: pip install accelerate

python examples/with_accelerate.py [--steps 200]        (or: accelerate launch examples/with_accelerate.py)
"""

import argparse

import torch
from accelerate import Accelerator  # pyright: ignore[reportMissingImports]
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import ganvas
from ganvas.method import Batch
from ganvas.tasks import sample

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
options = parser.parse_args()
accelerator = Accelerator()
data = ganvas.open_data("digits")
images = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1
method = ganvas.create("dcgan", "tiny")
method.setup(data.spec)
method.to(accelerator.device).train()
sampler = RandomSampler(images, replacement=True, num_samples=options.steps * method.batch_size)
loader = accelerator.prepare(DataLoader(TensorDataset(images), method.batch_size, sampler=sampler))
optimizers = {key: accelerator.prepare(optimizer) for key, optimizer in method.optimizers().items()}
generator = torch.Generator(accelerator.device).manual_seed(accelerator.process_index)

for (real,) in loader:
    batch = Batch(real, generator=generator)
    for update in method.updates():
        optimizer = optimizers[update.trains]
        parameters = optimizer.param_groups[0]["params"]
        report = update.loss(batch)
        optimizer.zero_grad()
        accelerator.backward(report["loss"], inputs=parameters, retain_graph=update.keeps_graph)
        for parameter in parameters:  # losses call networks as they like, so no wrapper averages over processes
            parameter.grad = accelerator.reduce(parameter.grad, "mean")
        optimizer.step()
        with torch.no_grad():
            update.after(report, batch)

print(sample(method.eval().cpu(), 4, seed=0).shape)
