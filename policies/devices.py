"""The device that trainings run on: one setting, ``training.device``, for all of them (torch; training only)."""

from __future__ import annotations

from typing import Literal, get_args

import torch

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
NAMES: tuple[str, ...] = get_args(DeviceName)
FASTEST = ("cuda", "mps", "cpu")
"""What "auto" takes the first available of."""


class DeviceError(ValueError):
    """A device that there isn't; the message names the setting and what to write instead."""


def choose_device(name: str) -> str:
    """``name`` itself, or for "auto" the first of ``FASTEST`` that is there.

    Raises:
        DeviceError: the device is not there, or there is no such name.
    """
    if name not in NAMES:
        raise DeviceError(f"training.device: {name!r} is no device: write one of {', '.join(NAMES)}")
    if name == "auto":
        return next(device for device in FASTEST if is_available(device))
    if not is_available(name):
        there = ", ".join(reversed([device for device in FASTEST if is_available(device)]))
        raise DeviceError(
            f"training.device: {name} is not there for torch {torch.__version__} on this machine: write {there} or "
            "auto, or install a build of torch for it (README, GPU)"
        )
    return name


def is_available(device: str) -> bool:
    """Whether tensors can be put there."""
    if device == "cuda":
        return torch.cuda.is_available()
    return device == "cpu" or torch.backends.mps.is_available()
