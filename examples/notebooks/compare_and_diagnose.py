# %% [markdown]
# # Compare and diagnose
#
# Which of two methods is better here, and what is wrong with a training that does not learn? A few minutes on two CPU
# cores.

# %%
import ganvas

data = ganvas.open_data("digits")

# %% [markdown]
# ## Two methods, two seeds each
#
# One run is an anecdote. Equal budgets, here in steps; with `minutes=5` each would get the same time instead.

# %%
folders = []
for method, preset in (("r3gan", None), ("dcgan", "small")):
    for seed in (0, 1):
        run = ganvas.train(method, data, preset=preset, steps=500, seed=seed, out=f"runs/{method}-{seed}")
        folders.append(run.folder)

# %%
table = ganvas.compare(folders, "compare.html")
for group in table["groups"]:
    print(group["name"])
    for name, figure in group["metrics"].items():
        print(f"    {name:12} {figure['mean']:8.3g}")

# %% [markdown]
# Five hundred steps are few: the reference of FD[digits] is 0.075, and both methods are far from it. `compare.html` has the same
# with samples of equal seeds and curves. The samples of one seed each, r3gan's and then dcgan's:

# %%
ganvas.load("runs/r3gan-0").sample(24, seed=0).grid(columns=12)

# %%
ganvas.load("runs/dcgan-0").sample(24, seed=0).grid(columns=12)

# %% [markdown]
# ## A training that does not learn
#
# The losses of a GAN do not say how it is going. A learning rate far too low, for example:

# %%
slow = ganvas.train("dcgan", data, preset="small", steps=500, seed=0, settings={"lr": 1e-6}, out="runs/slow")
slow.sample(12, seed=0).grid(columns=12)

# %% [markdown]
# The doctor reads what a training records beside its losses, and names a change of a setting:

# %%
diagnosis = slow.doctor()
print(diagnosis.line)
for finding in diagnosis.findings:
    print(f"{finding.name}, confidence {finding.confidence:.0%}")
    print("change:", finding.change.line)

# %% [markdown]
# The same training with that change:

# %%
change = diagnosis.findings[0].change.settings if diagnosis.findings else {}
better = ganvas.train(
    "dcgan", data, preset="small", steps=500, seed=0, settings={"lr": 1e-6, **change}, out="runs/better"
)
print(better.doctor().line)
better.sample(12, seed=0).grid(columns=12)
