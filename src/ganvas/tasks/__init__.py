"""Uses of a trained method. A task asks for an ability (ganvas.abilities), never for a method's name.

    from ganvas import load, tasks

    method = load("runs/digits").method
    images = tasks.sample(method, 16, seed=0)

Each command that uses a run is a function here and a method of `Run`, with the same name, arguments and defaults: a function
takes the trained method, a `Run` loads it (`raw`, `best` and `device` say which weights, and where).
"""

from ganvas.tasks.audit import audit
from ganvas.tasks.augment import augment
from ganvas.tasks.augmentation import evaluate_augmentation
from ganvas.tasks.doctor import doctor
from ganvas.tasks.edit import edit
from ganvas.tasks.encode import decode, encode
from ganvas.tasks.evaluate import evaluate
from ganvas.tasks.explain import explain
from ganvas.tasks.invert import invert
from ganvas.tasks.restore import restore
from ganvas.tasks.sample import sample
from ganvas.tasks.stylise import stylise, stylise_with
from ganvas.tasks.translate import translate

# The functions have the names of their modules and take their place here: `from ganvas.tasks.restore import ...` still reads
# the module.
__all__ = [
    "audit",
    "augment",
    "decode",
    "doctor",
    "edit",
    "encode",
    "evaluate",
    "evaluate_augmentation",
    "explain",
    "invert",
    "restore",
    "sample",
    "stylise",
    "stylise_with",
    "translate",
]
