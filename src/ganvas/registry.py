"""Methods and presets by name. A method is known once its file is imported; those of ganvas.methods are imported here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

from ganvas import old_names
from ganvas.abilities import Ability, offers
from ganvas.deprecation import with_new_names
from ganvas.errors import UsageError, nearest
from ganvas.files import JsonObject
from ganvas.method import REGISTERED, Method
from ganvas.settings import as_text, settings_of
from ganvas.synonyms import METHOD_SYNONYMS, meant

__all__ = ["create", "describe", "find", "method_names", "methods_with", "preset", "presets"]

P = TypeVar("P", bound=Callable[[], Method])

_presets: dict[str, dict[str, Callable[[], Method]]] = {}
_imported = False


def preset(name: str) -> Callable[[P], P]:
    """Decorator for a plain function that returns an unbuilt method: `--preset FUNCTION_NAME` of method `name`.

    Its docstring says the expected time, machine and score, and where they come from.
    """

    def keep(make: P) -> P:
        _presets.setdefault(name, {})[make.__name__] = make
        return make

    return keep


def method_names() -> list[str]:
    """All registered methods, sorted."""
    _import_all()
    return sorted(REGISTERED)


def find(name: str) -> type[Method]:
    """The class of a method; UsageError offers the nearest name."""
    _import_all()
    if name not in REGISTERED:
        names = sorted(REGISTERED)
        raise UsageError(f"unknown method {name}{meant(name, names, METHOD_SYNONYMS)} (there are: {', '.join(names)})")
    return REGISTERED[name]


def methods_with(ability: type | Callable[..., object]) -> str:
    """The names of the methods that have an ability, or their own version of an optional method of one (such as
    Samples.drawing), for messages: "gran, flow_matching"."""
    names = []
    for name in method_names():
        cls = find(name)
        if issubclass(cls, ability) if isinstance(ability, type) else offers(cls, ability):
            names.append(name)
    return ", ".join(names)


def presets(name: str) -> dict[str, Callable[[], Method]]:
    """The presets of a method by name."""
    find(name)
    return dict(_presets.get(name, {}))


def create(name: str, preset: str | None = None, settings: Mapping[str, object] | None = None) -> Method:
    """An unbuilt method: its preset (or its defaults), with `settings` checked and put in."""
    method = find(name)()
    if preset is not None:
        choices = presets(name)
        if preset not in choices:
            raise UsageError(
                f"{name} has no preset {preset}{nearest(preset, choices)} (there are: {', '.join(sorted(choices)) or 'none'})"
            )
        method = choices[preset]()
    settings = with_new_names(
        settings or {}, old_names.OLD_SETTINGS.get(name, {}), what=f"{name}'s setting", until=old_names.REMOVED_IN
    )
    return method.with_settings(settings)


def describe(name: str) -> JsonObject:
    """What there is to say of a method as plain values: its title, paper and description, the data it takes, what it can do, its
    settings and presets. ganvas.catalog has all of them in a file."""
    method = find(name)
    defaults = method().settings()
    abilities = [ability.__name__ for ability in Ability.__subclasses__() if issubclass(method, ability)]

    settings = []
    for key, one in settings_of(method).items():
        default = one.default
        facts = {"name": key, "default": default, "default_text": as_text(default), "type": one.type_name}
        facts |= {
            "allowed": one.values,
            "unit": one.unit,
            "help": one.help,
            "choices": one.choices and list(one.choices),
            "minimum": one.minimum,
            "maximum": one.maximum,
            "above": one.above,
        }
        settings.append(facts)

    variants = []
    for preset, make in presets(name).items():
        changed = {key: value for key, value in make().settings().items() if value != defaults[key]}
        variants.append({"name": preset, "help": inspect.cleandoc(make.__doc__ or ""), "settings": changed})
    about = inspect.cleandoc(sys.modules[method.__module__].__doc__ or method.__doc__ or "")
    return {
        "name": name, "title": method.title, "paper": method.paper, "about": about, "takes": list(method.takes),
        "abilities": abilities, "of_sampling": list(method.of_sampling), "settings": settings, "presets": variants,
    }  # fmt: skip


def _import_all() -> None:
    """Imports every file of ganvas.methods, once."""
    global _imported
    if _imported:
        return
    methods = importlib.import_module("ganvas.methods")  # discovered by name: this file stands below them
    for module in pkgutil.walk_packages(methods.__path__, "ganvas.methods."):
        importlib.import_module(module.name)
    _imported = True
