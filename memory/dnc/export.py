"""A trained story memory on disk: two ONNX graphs (write a statement, answer a question) and a manifest."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from memory.dnc.reader import FORMAT, MANIFEST_FILE, READ_FILE, WRITE_FILE
from memory.dnc.story_model import StoryModel
from memory.dnc.words import Lexicon

GRAPHS = (WRITE_FILE, READ_FILE)


class WriteGraph(nn.Module):
    """One statement and the rows so far, oldest first -> the new row."""

    def __init__(self, model: StoryModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, words: Tensor, meanings: Tensor, relations: Tensor, fillers: Tensor, ages: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(1, L), (1, L), (1, N, D), (1, N, K * E), (1, N) -> (1, D), (1, K * E); the last row was written last."""
        model = self.model
        told, names = model.relation(words, meanings), model.arguments(words)
        read = model.writer.read
        keys = read.keys(relations).unflatten(-1, (read.heads, read.key))
        weights = read.weights(read.address(told, names), keys, fillers, ages)
        last = relations[:, -1], fillers[:, -1].reshape(1, model.settings.fillers, model.settings.embedding)
        relation, row = model.writer(told, names, weights, (relations, fillers), last)
        return relation, row.flatten(1)


class ReadGraph(nn.Module):
    """One question and the rows -> chances of words and names, and how much each row was read."""

    def __init__(self, model: StoryModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        words: Tensor,
        meanings: Tensor,
        relations: Tensor,
        fillers: Tensor,
        ages: Tensor,
        named: Tensor,
        bound: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As ``WriteGraph``, with ``named`` (1, I) meanings of names and ``bound`` (1, I) -> (1, slots, W), (1, N)."""
        question = self.model.relation(words, meanings), self.model.arguments(words)
        logits, read = self.model.ask(question, (relations, fillers), ages, named, bound)
        return logits.softmax(-1), 1.0 - (1.0 - read.flatten(1, 2)).prod(1)


def export_memory(model: StoryModel, lexicon: Lexicon, folder: Path, training: Mapping[str, Any]) -> None:
    """Write both graphs and the manifest beside what is in ``folder``, then put them in its place, the manifest last.

    A crash leaves the old memory, the new one, or graphs that don't fit the manifest, which the reader refuses.
    ``training``: the record of the training (JSON-able).
    """
    settings = model.settings
    words = torch.zeros(1, settings.length, dtype=torch.long)
    words[0, 0] = 5
    rows = (
        torch.zeros(1, 3, settings.relation),
        torch.zeros(1, 3, settings.fillers * settings.embedding),
        torch.zeros(1, 3),
    )
    names = torch.zeros(1, settings.identities, dtype=torch.long), torch.ones(1, settings.identities, dtype=torch.bool)
    folder.mkdir(parents=True, exist_ok=True)
    inputs = ["words", "meanings", "relations", "fillers", "ages"]
    model.eval()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export") as made:
        fresh = Path(made)
        _write(WriteGraph(model), (words, words * 0, *rows), fresh / WRITE_FILE, inputs, ["relation", "filler"])
        _write(
            ReadGraph(model),
            (words, words * 0, *rows, *names),
            fresh / READ_FILE,
            [*inputs, "named", "bound"],
            ["chances", "read"],
        )
        manifest = {
            "format": FORMAT,
            "settings": asdict(settings),
            "words": list(lexicon.words),
            "meaningful": list(lexicon.meaningful),
            "sha256": {name: hashlib.sha256((fresh / name).read_bytes()).hexdigest() for name in GRAPHS},
            "training": dict(training),
        }
        (fresh / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        for name in (*GRAPHS, MANIFEST_FILE):
            (fresh / name).replace(folder / name)


def _write(graph: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: list[str], outputs: list[str]) -> None:
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own deprecations
            torch.onnx.export(
                graph, example, str(path), input_names=inputs, output_names=outputs, dynamo=False, opset_version=17,
                dynamic_axes={"relations": {1: "rows"}, "fillers": {1: "rows"}, "ages": {1: "rows"}, **_rows(outputs)},
            )  # fmt: skip
    finally:
        exporter_log.setLevel(level)


def _rows(outputs: list[str]) -> dict[str, dict[int, str]]:
    return {"read": {1: "rows"}} if "read" in outputs else {}
