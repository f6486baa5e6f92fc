"""A method of ganvas as a LightningModule: pip install lightning

python examples/with_lightning.py [--steps 200]
"""

import argparse

import lightning  # pyright: ignore[reportMissingImports]
import torch
from torch.utils.data import DataLoader, TensorDataset

import ganvas
from ganvas.method import Batch, Method


class GanvasModule(lightning.LightningModule):
    """Manual optimisation, since a GAN has two optimisers; the method says in which order."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method
        self.automatic_optimization = False

    def configure_optimizers(self):
        made = self.method.optimizers()
        self.keys = list(made)
        return list(made.values())

    def training_step(self, rows, step):
        batch = Batch(rows[0], generator=torch.Generator(self.device).manual_seed(step))
        optimizers = dict(zip(self.keys, self.optimizers(), strict=True))
        for update in self.method.updates():
            optimizer = optimizers[update.trains]
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            report = update.loss(batch)
            optimizer.zero_grad()
            self.manual_backward(report["loss"], inputs=parameters, retain_graph=update.keeps_graph)
            optimizer.step()
            with torch.no_grad():
                update.after(report, batch)
            self.log(f"{update.name}/loss", report["loss"].detach())


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
options = parser.parse_args()
data = ganvas.open_data("digits")
images = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1
method = ganvas.create("dcgan", "tiny")
method.setup(data.spec)
loader = DataLoader(TensorDataset(images), method.batch_size, shuffle=True, drop_last=True)
trainer = lightning.Trainer(
    max_steps=options.steps * 2, accelerator="auto", devices=1, logger=False, enable_checkpointing=False,
    enable_progress_bar=False, enable_model_summary=False,
)  # fmt: skip
trainer.fit(GanvasModule(method), loader)  # it counts each move of an optimiser as a step: two for a GAN
print(trainer.global_step, ganvas.sampling.sample(method.eval().cpu(), 4, seed=0).shape)
