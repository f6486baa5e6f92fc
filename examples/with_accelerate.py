"""A method of ganvas in a loop of Hugging Face accelerate: pip install accelerate

python examples/with_accelerate.py [--steps 200]        (or: accelerate launch examples/with_accelerate.py)
"""

import argparse

import torch
from accelerate import Accelerator  # pyright: ignore[reportMissingImports]
from torch.utils.data import DataLoader, TensorDataset

import ganvas
from ganvas.method import Batch

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
options = parser.parse_args()

accelerator = Accelerator()
data = ganvas.open_data("digits")
images = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1
method = ganvas.create("dcgan", "tiny")
method.setup(data.spec)
method.to(accelerator.device).train()
loader = accelerator.prepare(DataLoader(TensorDataset(images), method.batch_size, shuffle=True, drop_last=True))
optimizers = {key: accelerator.prepare(optimizer) for key, optimizer in method.optimizers().items()}
generator = torch.Generator(accelerator.device).manual_seed(accelerator.process_index)

for _, (real,) in zip(range(options.steps), loader):  # noqa: B905
    batch = Batch(real, generator=generator)
    for update in method.updates():
        optimizer = optimizers[update.trains]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        with accelerator.autocast():
            report = update.loss(batch)
        optimizer.zero_grad()
        accelerator.backward(report["loss"], inputs=parameters, retain_graph=update.keeps_graph)
        for (
            parameter
        ) in parameters:  # the mean over processes: losses call networks as they like, so no wrapper does it
            if parameter.grad is not None:
                parameter.grad = accelerator.reduce(parameter.grad, "mean")
        optimizer.step()
        with torch.no_grad():
            update.after(report, batch)

if accelerator.is_main_process:
    print(ganvas.sampling.sample(method.eval().cpu(), 4, seed=0).shape)
