"""Settings that a search found, from config.yml into a learner's settings and back."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from bot.config import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def with_tuned(settings: Settings, values: Mapping[str, Any], section: str) -> Settings:
    """``settings`` with ``values`` of config.yml's ``section``; ConfigError for an unknown name or a bad value."""
    known = {field.name: type(getattr(settings, field.name)) for field in dataclasses.fields(settings)}
    changes = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            raise ConfigError(f"config.yml: {section}.{name}: no such setting: {hint}")
        kind = known[name]
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise ConfigError(f"config.yml: {section}.{name}: {value!r} is not of the type {kind.__name__}: correct it")
        changes[name] = kind(value)
    try:
        return dataclasses.replace(settings, **changes)
    except ValueError as error:
        raise ConfigError(f"config.yml: {section}: {error}") from None


def patch(section: str, values: Mapping[str, Any]) -> str:
    """``values`` as the lines of config.yml's ``tuned`` section that make them count."""
    lines = "".join(f"    {name}: {value}\n" for name, value in values.items())
    return f"tuned:\n  {section}:\n{lines}" if values else f"tuned:\n  {section}: {{}}\n"
