"""Domains for tests: a small one of our own, and the published ones where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.pydial.domain import Domain, find_domain, load_domain

COLOURS, SIZES, MAKERS = ("red", "green", "blue", "grey"), ("small", "large"), ("ada", "bea", "cleo", "dora", "edda")


def rules() -> dict[str, Any]:
    """Hats, by colour, size and maker."""
    return {
        "type": "hat",
        "requestable": ["name", "colour", "size", "maker", "price", "shelf"],
        "system_requestable": ["maker", "colour", "size"],
        "informable": {
            "colour": list(COLOURS),
            "size": list(SIZES),
            "maker": list(MAKERS),
            "name": [f"hat {n}" for n in range(60)],
        },
        "method": ["none", "byconstraints", "byname", "finished", "byalternatives", "restart"],
        "discourseAct": ["ack", "hello", "none", "repeat", "silence", "thankyou"],
    }


def table() -> list[dict[str, str]]:
    rng = np.random.default_rng(5)
    return [
        {
            "name": f"hat {n}",
            "colour": str(rng.choice(COLOURS)),
            "size": "not available" if n % 17 == 0 else str(rng.choice(SIZES)),
            "maker": str(rng.choice(MAKERS)),
            "price": f"{n + 1} crowns",
            "shelf": f"{n // 10}",
        }
        for n in range(60)
    ]


def write(folder: Path, ontology: dict[str, Any] | None = None, rows: Any = None) -> tuple[Path, Path]:
    """The two files of a domain."""
    paths = folder / "Hats-rules.json", folder / "Hats-dbase.json"
    paths[0].write_text(json.dumps(ontology or rules()))
    paths[1].write_text(json.dumps({"Hats": table() if rows is None else rows}))
    return paths


def published(name: str) -> Domain:
    """A published domain, or skip."""
    if not os.environ.get("REJOINDER_DATA"):
        pytest.skip("REJOINDER_DATA is not set: the published domains are not at hand")
    return load_domain(*find_domain(name))
