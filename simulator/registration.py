"""The names under which gymnasium finds the environments."""

from __future__ import annotations

import gymnasium

ENVIRONMENTS = {
    "rejoinder/Dialogue-v0": ("simulator.env:DialogueEnv", "simulator.vector_env:DialogueVectorEnv"),
    "Dialogue-v0": ("simulator.env:DialogueEnv", "simulator.vector_env:DialogueVectorEnv"),
    "rejoinder/PyDial-v0": ("simulator.pydial.env:BenchmarkEnv", "simulator.pydial.env:BenchmarkVectorEnv"),
    "rejoinder/TCBot-v0": ("simulator.tcbot.env:MovieEnv", "simulator.tcbot.env:MovieVectorEnv"),
}
IDS = ("rejoinder/Dialogue-v0", "Dialogue-v0")
"""Names of the environment of an assistant; the others are benchmarks."""


def register_environments() -> None:
    """Register the environments for ``gymnasium.make`` and ``make_vec``; idempotent.

    ``rejoinder/Dialogue-v0`` and ``Dialogue-v0``: keyword arguments ``ontology``, ``task``, ``settings``,
    ``featurizer``; without an ontology it is the small built-in world. ``rejoinder/PyDial-v0``: ``world`` (the two
    files of a domain), ``env`` 1-6, ``view``. ``rejoinder/TCBot-v0``: ``world`` (the task's folder), ``settings``.
    """
    for name, (single, vector) in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(id=name, entry_point=single, vector_entry_point=vector)
