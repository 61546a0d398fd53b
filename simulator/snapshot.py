"""The state of a simulation as named arrays, so that an interrupted training goes on to the same bits.

A class names the attributes that change during a dialogue in ``remembered``. Each of them is an array or number, a
dataclass of arrays (goals, beliefs), or an object that has ``remembered`` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.resume import State, part, prefixed


class Remembers(Protocol):
    """Names its attributes that change."""

    remembered: ClassVar[tuple[str, ...]]


def snapshot(owner: Remembers) -> State:
    """Copies of everything ``owner`` remembers, by path (``users/goals/wanted``)."""
    state: State = {}
    for name in owner.remembered:
        state |= _save(name, getattr(owner, name))
    return state


def restore(owner: Remembers, state: Mapping[str, NDArray[Any]]) -> None:
    """Put everything back that ``snapshot`` took; KeyError for what ``state`` lacks."""
    for name in owner.remembered:
        setattr(owner, name, _load(name, getattr(owner, name), state))


def _save(name: str, value: Any) -> State:
    if hasattr(value, "remembered"):
        return prefixed(name, snapshot(value))
    if is_dataclass(value):
        parts: State = {}
        for f in fields(value):
            parts |= _save(f.name, getattr(value, f.name))
        return prefixed(name, parts)
    return {name: np.array(value)}


def _load(name: str, old: Any, state: Mapping[str, NDArray[Any]]) -> Any:
    """What ``old`` becomes."""
    inner = part(name, state)
    if hasattr(old, "remembered"):
        restore(old, inner)
        return old
    if is_dataclass(old) and not isinstance(old, type):
        return replace(old, **{f.name: _load(f.name, getattr(old, f.name), inner) for f in fields(old)})
    array = state[name]
    if array.shape != np.shape(old):
        raise KeyError(f"{name} has shape {array.shape}, this environment's is {np.shape(old)}")
    return array.copy() if isinstance(old, np.ndarray) else array.item()
