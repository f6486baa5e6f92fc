"""Who may import whom, read from the source; and what an import costs."""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganvas

SOURCE = Path(ganvas.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
GROUND = {
    "ganvas.card",
    "ganvas.catalog",
    "ganvas.chunks",
    "ganvas.defaults",
    "ganvas.deprecation",
    "ganvas.device",
    "ganvas.download",
    "ganvas.draws",
    "ganvas.errors",
    "ganvas.figure",
    "ganvas.files",
    "ganvas.old_names",
    "ganvas.precision",
    "ganvas.provenance",
    "ganvas.settings",
    "ganvas.strict_json",
    "ganvas.synonyms",
    "ganvas.version",
}

# Package: what its files may import of ours, beside the reference and their own package.
MAY = {
    "data": set(),
    "networks": set(),
    "losses": {"ganvas.networks.features.distances"},
    "methods": {
        "ganvas.abilities",
        "ganvas.method",
        "ganvas.registry",
        "ganvas.data",
        "ganvas.networks",
        "ganvas.losses",
        "ganvas.methods",  # see test_no_method_imports_another
    },
    "metrics": {"ganvas.abilities", "ganvas.data", "ganvas.method", "ganvas.networks.features", "ganvas.registry"},
    "training": {
        "ganvas.data",
        "ganvas.abilities",
        "ganvas.method",
        "ganvas.registry",
        "ganvas.run",
        "ganvas.sampling",
        "ganvas.preview",
        "ganvas.metrics",
        "ganvas.doctor",
    },
    "doctor": {"ganvas.abilities", "ganvas.method", "ganvas.registry"},
    "foreign": {
        "ganvas.data",
        "ganvas.method",
        "ganvas.networks",
        "ganvas.pretrained",
        "ganvas.registry",
        "ganvas.run",
    },
    "hub": {"ganvas.abilities", "ganvas.data", "ganvas.doctor", "ganvas.method", "ganvas.registry"},
    "tasks": {
        "ganvas",
        "ganvas.data",
        "ganvas.doctor",
        "ganvas.metrics",
        "ganvas.losses",
        "ganvas.abilities",
        "ganvas.method",
        "ganvas.registry",
        "ganvas.networks",
        "ganvas.run",
        "ganvas.sampling",
    },
    "report": {
        "ganvas",
        "ganvas.data",
        "ganvas.run",
        "ganvas.sampling",
        "ganvas.metrics",
        "ganvas.abilities",
        "ganvas.method",
        "ganvas.registry",
        "ganvas.doctor",
        "ganvas.tasks.audit",  # whose results pages show
        "ganvas.tasks.augment",
        "ganvas.tasks.augmentation",
        "ganvas.tasks.explain",
        "ganvas.tasks.neighbours",
        "ganvas.tasks.saliency",
        "ganvas.tasks.units",
        "ganvas.training.callbacks",
        "ganvas.training.trainer",  # what a callback gets
    },
}
TOP = ("ganvas.cli", "ganvas.studio")
ONLY_IN = {
    "torch.distributed": ("training/engine.py", "cli/launch.py"),  # which starts torchrun, and joins nothing
    "fastapi": ("studio/",),
    "starlette": ("studio/",),
    "uvicorn": ("studio/",),
    "flask": ("studio/",),
    "aiohttp": ("studio/",),
    "huggingface_hub": ("hub/transfer.py",),
    "onnx": ("export/",),
    "onnxruntime": ("export/",),
    "rich": ("cli/", "progress.py"),
    "typer": ("cli/",),
    "torch_fidelity": ("metrics/",),
    "torch.utils.tensorboard": ("training/loggers.py",),
    "trackio": ("training/loggers.py",),
    "wandb": ("training/loggers.py",),
}
NOWHERE = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}


def where(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@functools.cache  # some forty tests ask for all files
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _trees_are_let_go() -> Iterator[None]:
    yield
    parsed.cache_clear()


@functools.cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports, anywhere in it; `from a import b` counts as a and a.b."""
    found: list[str] = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where(path)}: relative imports hide who imports whom"
            found += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(found)


@functools.cache
def ours(path: Path) -> frozenset[str]:
    """Modules of ours (names inside of modules omitted)."""
    return frozenset(name for name in imports(path) if name.split(".")[0] == "ganvas" and is_module(name))


def is_module(name: str) -> bool:
    place = SOURCE.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").is_file()


def inside(name: str, allowed: set[str]) -> bool:
    return any(name == one or (name.startswith(one + ".") and one != "ganvas") for one in allowed)


# From the ground up: a file imports its own layer and those below it.
LAYERS = (
    (
        "card",
        "catalog",
        "chunks",
        "defaults",
        "deprecation",
        "device",
        "download",
        "draws",
        "errors",
        "figure",
        "files",
        "old_names",
        "precision",
        "provenance",
        "settings",
        "strict_json",
        "synonyms",
        "version",
    ),
    ("data", "networks"),
    ("losses",),
    ("abilities",),
    ("method",),
    ("registry",),
    ("doctor", "methods", "metrics", "sampling"),
    ("preview", "tasks"),
    ("build_limit", "hub", "pretrained", "run"),
    ("foreign",),
    ("training",),
    ("report",),
    ("progress",),
    ("api",),
    ("",),  # ganvas/__init__.py, whose names come lazily
    ("cli", "export", "studio"),
    ("__main__",),
)


def layer(module: str) -> int:
    """The number of a module's layer, 0 at the ground."""
    top = module.partition(".")[2].partition(".")[0]
    found = [number for number, names in enumerate(LAYERS) if top in names]
    assert found, f"{module} stands in no layer: name it in LAYERS"
    return found[0]


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(("ganvas", *(part for part in parts if part != "__init__")))


def graph() -> dict[str, set[str]]:
    """Each file's module and the modules of ours that it imports, anywhere in it."""
    edges = {}
    for path in FILES:
        names, own = ours(path), module_name(path)
        # `from ganvas.data import open` names the package as well; what it imports is the file.
        deepest = {name for name in names if not any(longer.startswith(name + ".") for longer in names)}
        edges[own] = deepest - {own}
    return edges


def test_no_arrow_runs_up() -> None:
    up = [
        f"{module} imports {name}" for module, names in graph().items() for name in names if layer(name) > layer(module)
    ]
    assert not up, up


def test_no_circle() -> None:
    """Not even by an import inside of a function or for annotations only."""
    edges, done = graph(), set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module in done:
            return
        for name in sorted(edges.get(module, ())):
            visit(name, (*way, module))
        done.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("package", MAY)
def test_directions(package: str) -> None:
    allowed = MAY[package] | GROUND | ({f"ganvas.{package}"} if package != "methods" else set())
    for path in (SOURCE / package).rglob("*.py"):
        for name in ours(path):
            if name == "ganvas" or (
                any(longer.startswith(name + ".") for longer in ours(path) | allowed) and name not in allowed
            ):
                continue  # "from ganvas.data import open" names ganvas.data as well
            assert inside(name, allowed), (
                f"{where(path)} imports {name}; files of {package} may import {sorted(allowed)}"
            )


def test_no_method_imports_another() -> None:
    """A paper derives from its family's base, never from another paper: methods/FAMILY/NAME.py may import _base*.py of
    FAMILY and methods/_base.py."""
    for path in (SOURCE / "methods").rglob("*.py"):
        family = f"ganvas.methods.{path.parent.name}"
        for name in ours(path):
            if not name.startswith("ganvas.methods.") or name == family or name.startswith("ganvas.methods._base"):
                continue
            assert name.startswith(f"{family}._base"), f"{where(path)} imports {name}"


def test_nobody_imports_the_top() -> None:
    for path in FILES:
        if path.parts[len(SOURCE.parts)] in ("cli", "studio", "__main__.py"):
            continue
        assert not [name for name in ours(path) if name.startswith(TOP)], where(path)
    for own, other in (TOP, TOP[::-1]):
        for path in (SOURCE / own.split(".")[1]).rglob("*.py"):
            if where(path) == "cli/studio.py":  # the command that starts it
                continue
            assert not [name for name in ours(path) if name.startswith(other)], where(path)


@pytest.mark.parametrize(
    "reference",
    [
        "card.py",
        "catalog.py",
        "chunks.py",
        "defaults.py",
        "device.py",
        "download.py",
        "errors.py",
        "figure.py",
        "files.py",
        "settings.py",
        "synonyms.py",
        "version.py",
    ],
)
def test_the_floor_stands_on_itself(reference: str) -> None:
    assert ours(SOURCE / reference) - {"ganvas"} <= GROUND


def test_the_loop_names_no_method() -> None:
    from ganvas.registry import method_names

    for name in ("trainer.py", "engine.py", "average.py", "checkpoint.py", "callbacks.py", "recorder.py"):
        tree = parsed(SOURCE / "training" / name)
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        assert not texts & set(method_names()), name
    for path in (SOURCE / "training").rglob("*.py"):
        assert not [name for name in ours(path) if name.startswith("ganvas.methods")], where(path)


def test_training_imports_neither_the_report_nor_the_package_root() -> None:
    """A report is written by a callback, and what is above training is passed in."""
    for path in (SOURCE / "training").rglob("*.py"):
        names = ours(path)
        assert "ganvas" not in names, f"{where(path)} imports the package root"
        assert not [name for name in names if name.startswith("ganvas.report")], where(path)


@pytest.mark.parametrize("module", ONLY_IN)
def test_each_outside_package_has_its_place(module: str) -> None:
    for path in FILES:
        used = [name for name in imports(path) if name == module or name.startswith(module + ".")]
        assert not used or where(path).startswith(ONLY_IN[module]), f"{where(path)} imports {module}"


def test_nothing_is_unpickled() -> None:
    for path in FILES:
        tree = parsed(path)
        assert not [name for name in imports(path) if name.split(".")[0] in NOWHERE], where(path)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            words = {word.arg: ast.unparse(word.value) for word in call.keywords}
            if name == "torch.load":
                assert words.get("weights_only") == "True", f"{where(path)}: torch.load without weights_only=True"
            if name in ("np.load", "numpy.load"):
                assert words.get("allow_pickle", "False") == "False", where(path)


def test_no_branch_on_the_name_of_a_method() -> None:
    """`if name == "dcgan"` belongs nowhere but into a file of methods/."""
    from ganvas.registry import method_names

    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                texts = {side.value for side in sides if isinstance(side, ast.Constant)}
                assert not texts & set(method_names()), f"{where(path)}:{node.lineno}"


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("ganvas", "torch numpy PIL rich typer pydantic safetensors"),
        ("ganvas.cli.main", "torch numpy PIL safetensors"),
        ("ganvas.data, ganvas.settings, ganvas.errors", "torch PIL"),
        ("ganvas.export.runtime, ganvas.export.photos, ganvas.cli.exported", "torch onnx onnxruntime PIL safetensors"),
    ],
)
def test_what_an_import_costs(module: str, heavy: str) -> None:
    code = f"import sys, {module}; print(sorted(set({heavy.split()}) & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    assert sorted(set(ganvas.__all__)) == ganvas.__all__
    for name in ganvas.__all__:
        assert getattr(ganvas, name) is not None
    for package in ("data", "doctor", "losses", "methods", "metrics", "networks", "tasks", "training"):
        assert getattr(ganvas, package).__name__ == f"ganvas.{package}"
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = ganvas.trian  # pyright: ignore
    stated = {
        "Batch", "Callback", "DataSpec", "Dataset", "GanvasError", "Method", "Run", "Update", "__version__", "create", "load",
        "open_data", "preset", "setting", "train",
    }  # fmt: skip
    assert stated <= set(ganvas.__all__)


@pytest.mark.parametrize("package", ["data", "doctor", "export", "metrics", "report", "tasks"])
def test_packages_export_what_they_say(package: str) -> None:
    module = __import__(f"ganvas.{package}", fromlist=["__all__"])
    assert module.__all__ and all(hasattr(module, name) for name in module.__all__)


def test_abilities_are_few_and_declared() -> None:
    """At most ten; a method has one by deriving from it, and nothing is asked by assert isinstance."""
    from ganvas.abilities import Ability

    assert len(Ability.__subclasses__()) <= 10
    for path in FILES:
        asserts = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Assert)]
        assert not [node for node in asserts if "isinstance(" in ast.unparse(node.test)], where(path)


def test_a_new_gan_needs_few_names() -> None:
    """At most ten names of ours in the example of a method in one file, those of the package itself counted too."""
    tree = parsed(SOURCE.parents[1] / "examples" / "new_gan_in_one_file.py")
    imported = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ganvas")
        for alias in node.names
    ]
    of_root = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ganvas"
    }
    assert len({*imported, *of_root}) <= 10, (imported, of_root)


def test_each_file_says_what_it_is() -> None:
    silent = [
        where(path)
        for path in FILES
        if path.stat().st_size and not ast.get_docstring(parsed(path)) and path.name != "version.py"
    ]
    assert not silent
