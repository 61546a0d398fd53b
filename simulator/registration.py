"""The names under which gymnasium finds the environments."""

from __future__ import annotations

import gymnasium

IDS = ("rejoinder/Dialogue-v0", "Dialogue-v0")


def register_environments() -> None:
    """Register ``rejoinder/Dialogue-v0`` and ``Dialogue-v0`` for ``gymnasium.make`` and ``make_vec``; idempotent.

    Keyword arguments (``ontology``, ``task``, ``settings``, ``featurizer``) go to the environment; without an
    ontology it is the small built-in world.
    """
    for name in IDS:
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point="simulator.env:DialogueEnv",
                vector_entry_point="simulator.vector_env:DialogueVectorEnv",
            )
