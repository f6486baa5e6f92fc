# %% [markdown]
# # A first model
#
# Train a GAN on handwritten digits, look at what it generates, and measure it. `pip install ganvas` is all that is needed: the
# digits come with it. On two CPU cores this notebook takes a few minutes.

# %%
import ganvas
from ganvas.data import read_provenance

data = ganvas.open_data("digits")
data

# %% [markdown]
# `r3gan` is a modern GAN. With a budget in steps, equal seeds give equal weights on the same machine;
# `minutes=5` would train for five minutes instead. While it trains, a card shows progress, losses and samples.

# %%
run = ganvas.train("r3gan", data, steps=2000, seed=0, out="runs/digits")
run

# %% [markdown]
# ## Samples
#
# Images come as an array, uint8 (n, H, W, C), which a notebook shows as a grid. They are not selected.

# %%
images = run.sample(64, seed=0)
print(type(images).__name__, images.dtype, images.shape)
images

# %% [markdown]
# Image i of seed s is the image of seed s + i, however many images are asked for:

# %%
assert (run.sample(2, seed=10) == images[10:12]).all()

# %% [markdown]
# Between two seeds the images change step by step:

# %%
run.edit(interpolate=(3, 8)).grid(columns=8)

# %% [markdown]
# ## Measures
#
# Each figure stands beside its reference: what real, held-out digits score by the same measure. Without it, a number such as
# FD 2.1 says little.

# %%
figures = run.evaluate(samples=2000)
for name, figure in figures.items():
    reference = "" if figure.reference is None else f"(reference {figure.reference:.3g})"
    print(f"{name:12} {figure.value:8.3g} {reference}")

# %% [markdown]
# What the doctor says of the training, from its log:

# %%
print(run.doctor().line)

# %% [markdown]
# ## Keep it
#
# A file of an image says how it was made, and `run.sample(like="digits.png")` makes it again. The folder that `save_pretrained`
# writes holds the weights and a config, and nothing of the training.

# %%
images.save("digits.png")
made = read_provenance("digits.png")
print(made.command, made.seed)
run.save_pretrained("my_model")
again = ganvas.from_pretrained("my_model")
assert (again.sample(4, seed=0) == images[:4]).all()
