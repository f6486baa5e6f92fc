"""A method of ganvas as a LightningModule: pip install lightning

python examples/with_lightning.py [--steps 200]
"""

import argparse

import torch
from lightning import LightningModule, Trainer  # pyright: ignore[reportMissingImports]
from torch.utils.data import DataLoader, TensorDataset

import ganvas
from ganvas.method import Batch, Method
from ganvas.tasks import sample


class GanvasModule(LightningModule):
    """Manual optimisation, since a GAN has two optimisers; the method says in which order."""

    automatic_optimization = False

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method, self.by_key = method, method.optimizers()

    def configure_optimizers(self):
        return list(self.by_key.values())

    def training_step(self, rows, step):
        batch = Batch(rows[0], generator=torch.Generator(self.device).manual_seed(step))
        optimizers = dict(zip(self.by_key, self.optimizers(), strict=True))
        for update in self.method.updates():
            optimizer = optimizers[update.trains]
            report = update.loss(batch)
            optimizer.zero_grad()
            trained = optimizer.param_groups[0]["params"]
            self.manual_backward(report["loss"], inputs=trained, retain_graph=update.keeps_graph)
            optimizer.step()
            with torch.no_grad():
                update.after(report, batch)
            self.log(f"{update.name}/loss", report["loss"].detach())


parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=200)
data = ganvas.open_data("digits")
images = torch.tensor(data.images).permute(0, 3, 1, 2).float() / 127.5 - 1
method = ganvas.create("dcgan", "tiny")
method.setup(data.spec)
loader = DataLoader(TensorDataset(images), method.batch_size, shuffle=True, drop_last=True)
# Lightning counts each move of an optimiser: two a step for a GAN.
trainer = Trainer(max_steps=2 * parser.parse_args().steps, devices=1, logger=False, enable_checkpointing=False)
trainer.fit(GanvasModule(method), loader)
print(trainer.global_step, sample(method.eval().cpu(), 4, seed=0).shape)
