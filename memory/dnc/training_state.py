"""All of a story memory's training as named arrays, so that it goes on to the same bits after any interruption.

The batches that are drawn but not yet used aren't stored: they are drawn again, by the generator as it was before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memory.dnc.training import StoryTraining

State = dict[str, NDArray[Any]]
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What Adam keeps of each parameter."""


class TrainingStateError(ValueError):
    """A stored state doesn't fit the training or holds numbers that aren't finite; the message names the array."""


def training_state(training: StoryTraining) -> State:
    """Copies of everything that decides what happens next: ``model/...``, ``adam/...``, generators, progress, curve.

    Raises:
        TrainingStateError: a number is not finite: such a state is never to be written.
    """
    state: State = {}
    for name, tensor in training.model.state_dict().items():
        state[f"model/{name}"] = tensor.detach().cpu().numpy().copy()
    for name, parameter in training.model.named_parameters():
        for moment, value in training.optimizer.state.get(parameter, {}).items():
            state[f"adam/{name}/{moment}"] = value.detach().cpu().numpy().copy()
    progress = training.progress
    state["torch_generator"] = torch.get_rng_state().numpy().copy()
    state["progress"] = _packed(
        {
            "step": progress.step,
            "loss": progress.loss,
            "error": {str(task): error for task, error in progress.error.items()},
            "weights": {str(task): weight for task, weight in progress.weights.items()},
            "queued": len(training.queue),
            "drawn_from": training.drawn_from,
            "generator": training.generator.bit_generator.state,
            "curve": training.curve,
        }
    )
    for name, array in state.items():
        _finite(name, array)
    return state


def restore_training(training: StoryTraining, state: Mapping[str, NDArray[Any]]) -> None:
    """Put a training that has just begun where ``training_state`` found another one.

    Raises:
        TrainingStateError: an array is missing, of another shape or type, or not finite; nothing is changed then.
    """
    model = {f"model/{name}": tensor for name, tensor in training.model.state_dict().items()}
    for name, tensor in model.items():
        _fits(name, state, tuple(tensor.shape), str(tensor.numpy(force=True).dtype))
    told = _told(state, training)
    parameters = dict(training.model.named_parameters())
    if told["step"]:
        for name, parameter in parameters.items():
            for moment in MOMENTS:
                _fits(f"adam/{name}/{moment}", state, () if moment == "step" else tuple(parameter.shape), "float32")
    training.model.load_state_dict({name[len("model/") :]: torch.from_numpy(state[name].copy()) for name in model})
    if told["step"]:
        for name, parameter in parameters.items():
            training.optimizer.state[parameter] = {
                moment: torch.from_numpy(np.array(state[f"adam/{name}/{moment}"])).to(
                    "cpu" if moment == "step" else parameter.device
                )
                for moment in MOMENTS
            }
    progress = training.progress
    progress.step, progress.loss = told["step"], told["loss"]
    progress.error = {int(task): error for task, error in told["error"].items()}
    progress.weights = {int(task): weight for task, weight in told["weights"].items()}
    training.curve = told["curve"]
    if progress.weights:
        training.generator.bit_generator.state = told["drawn_from"]
        training.draw_queue()
        del training.queue[told["queued"] :]
    training.generator.bit_generator.state = told["generator"]
    torch.set_rng_state(torch.from_numpy(state["torch_generator"].copy()))


def _packed(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def _told(state: Mapping[str, NDArray[Any]], training: StoryTraining) -> dict[str, Any]:
    """The part that is JSON, checked for its keys and tasks."""
    keys = {"step", "loss", "error", "weights", "queued", "drawn_from", "generator", "curve"}
    try:
        told: dict[str, Any] = json.loads(state["progress"].tobytes())
        missing = sorted(keys - set(told)) + sorted({"torch_generator"} - set(state))
        tasks = [int(task) for task in told.get("error", {})]
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise TrainingStateError(f"progress: not the progress of a training ({error!r})") from None
    if missing:
        raise TrainingStateError(f"progress: {', '.join(missing)} missing")
    if tasks != list(training.stories):
        raise TrainingStateError(f"progress: of the tasks {tasks}, this training has {list(training.stories)}")
    return told


def _fits(name: str, state: Mapping[str, NDArray[Any]], shape: tuple[int, ...], dtype: str) -> None:
    if name not in state:
        raise TrainingStateError(f"{name}: missing")
    array = state[name]
    if array.shape != shape or array.dtype != dtype:
        raise TrainingStateError(f"{name}: {array.dtype} of shape {array.shape}, should be {dtype} of shape {shape}")
    _finite(name, array)


def _finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise TrainingStateError(f"{name}: holds numbers that are not finite")
