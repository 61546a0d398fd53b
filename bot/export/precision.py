"""Weights stored in half precision: half the size on disk and over the network, computing stays in float32.

Each large float32 weight becomes a float16 one and a Cast; ONNX Runtime folds the cast when it opens the file, so an
answer takes as long as before and differs only by the rounding of the weights (a relative 2^-11 each). Needs ``onnx``,
so it is for exporting only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memory.dnc.reader import StoryMemory

SMALLEST = 64
"""Weights with fewer numbers stay as they are: a cast would cost more than it saves."""
TOLERANCE = 0.01
"""How far an output may move: values of actions (scaled reward, about 0 to 1), rows of the memory (-1 to 1), its
confidences (0 to 1). Measured: 0.0003, 0.002 and 0.002."""

STORY = (
    "I left the passport in the drawer.", "Mary went to the garden.", "John took the football to the kitchen.",
    "Then he put it in the box.", "The umbrella is in the car.",
)  # fmt: skip
QUESTIONS = ("Where is my passport?", "Where is Mary?", "Where is the football?", "Where is the umbrella?", "Who am I?")


def halve_weights(data: bytes) -> bytes:
    """An ONNX model with its float32 weights stored as float16; weights beyond float16's range stay."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(data)
    graph, casts = model.graph, []
    for weight in graph.initializer:
        if weight.data_type == TensorProto.FLOAT and _fits(values := numpy_helper.to_array(weight)):
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            casts.append(helper.make_node("Cast", [weight.name], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]  # a node comes after what it reads
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    halved: bytes = model.SerializeToString(deterministic=True)
    return halved


def story_difference(whole: StoryMemory, halved: StoryMemory) -> float:
    """Largest difference of two memories in any row and any confidence over a story; infinite where answers differ."""
    one, other, moved = whole.empty(), halved.empty(), 0.0
    for statement in STORY:
        one, other = whole.write(one, statement), halved.write(other, statement)
        for rows, others in ((one.relations, other.relations), (one.fillers, other.fillers)):
            moved = max(moved, float(np.abs(rows - others).max()))
    for question in QUESTIONS:
        answer, second = whole.ask(one, question), halved.ask(other, question)
        if answer.text != second.text:
            return float("inf")
        moved = max(moved, abs(answer.confidence - second.confidence))
    return moved


def _fits(weight: NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore"):
        return bool(weight.size >= SMALLEST and np.isfinite(weight.astype(np.float16)).all())
