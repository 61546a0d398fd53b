"""What is known of a user, and how models that make features of it are kept on disk: JSON, read with NumPy alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.files import write_atomically

Array = NDArray[np.float64]
VERSION = 1


class LatentModelError(ValueError):
    """A latent model on disk is missing or damaged; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class UserHistory:
    """A user as the latent models see them; whatever is not known is left empty.

    ``numbers`` by name (visits, mean mood, ...), what they ``said`` in their conversations, and what they chose: the
    weight of each item's ``choices``.
    """

    name: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    said: str = ""
    choices: Mapping[str, float] = field(default_factory=dict)


class LatentModel(Protocol):
    """A fitted model of users: clusters, topics, collaborative vectors."""

    def features(self, user: UserHistory) -> dict[str, float]:
        """Finite numbers by name, always the same names; what everybody is like where nothing is known."""
        ...

    def save(self, path: Path) -> None:
        """Write JSON; the file is whole or as it was."""
        ...


def write_model(path: Path, kind: str, said: Mapping[str, Any]) -> None:
    """Write a latent model of ``kind`` as JSON."""
    write_atomically(path, json.dumps({"kind": kind, "version": VERSION, **said}).encode())


def read_model(path: Path, kind: str, lists: Iterable[str]) -> dict[str, Any]:
    """The JSON of a latent model of ``kind``, which has ``lists``; LatentModelError where it isn't one."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(said, dict) or said.get("kind") != kind:
            raise ValueError(f"holds no {kind}")
        if said.get("version") != VERSION:
            raise ValueError(f"version {said.get('version')}, this program reads {VERSION}")
        if missing := [name for name in lists if not isinstance(said.get(name), list)]:
            raise ValueError(f"{missing[0]} is missing")
    except FileNotFoundError:
        raise LatentModelError(f"{path}: no such file: fit the {kind} first") from None
    except ValueError as error:
        raise LatentModelError(f"{path}: {error}: fit the {kind} again") from None
    return said


def checked_array(path: Path, said: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:
    """The array ``name`` of a model's JSON; LatentModelError where it is missing, of another shape or not finite."""
    try:
        array = np.array(said[name], dtype=np.float64).reshape(shape)
    except (KeyError, TypeError, ValueError):
        raise LatentModelError(f"{path}: {name} is not of shape {shape}: fit the model again") from None
    if not np.isfinite(array).all():
        raise LatentModelError(f"{path}: {name} holds numbers that aren't finite: fit the model again")
    return array
