"""Network weights on disk: safetensors beside a JSON manifest with their hash; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import nn

from policies.files import write_atomically

WEIGHTS_FILE = "weights.safetensors"
MANIFEST_FILE = "checkpoint.json"


class CheckpointError(ValueError):
    """A checkpoint is missing, damaged or does not fit the network; the message names the file and the remedy."""


def weights_digest(network: nn.Module) -> str:
    """sha256 over names and bytes of all weights: equal exactly when the weights are bit-equal."""
    return hashlib.sha256(save(_tensors(network))).hexdigest()


def save_checkpoint(directory: Path, network: nn.Module, details: Mapping[str, Any]) -> None:
    """Write weights, then the manifest with ``details`` (JSON-able); each file appears whole or not at all."""
    for name, tensor in network.state_dict().items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{directory / WEIGHTS_FILE}: tensor {name!r} is not finite: nothing was saved")
    data = save(_tensors(network))
    manifest = {"sha256": hashlib.sha256(data).hexdigest(), "details": dict(details)}
    write_atomically(directory / WEIGHTS_FILE, data)
    write_atomically(directory / MANIFEST_FILE, json.dumps(manifest, indent=1).encode())


def load_checkpoint(directory: Path, network: nn.Module) -> dict[str, Any]:
    """Load weights into ``network`` and return the details; CheckpointError for a damaged or unfitting one."""
    path = directory / WEIGHTS_FILE
    try:
        manifest = json.loads((directory / MANIFEST_FILE).read_text(encoding="utf-8"))
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest["sha256"]:
            raise CheckpointError(f"{path}: sha256 differs from {MANIFEST_FILE}: the file is damaged, train again")
        network.load_state_dict(load(data))
        details: dict[str, Any] = manifest["details"]
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename}: no such file: train first") from None
    except (KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: does not fit ({error}): train again") from None
    return details


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in sorted(network.state_dict().items())}
