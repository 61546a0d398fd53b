"""A small set of models to export: the real encoder and memory, and a policy of the real shape with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from bot.assistant import Assistant
from bot.config import Config
from bot.export.build import ExportSettings, build_bundle
from bot.export.bundle import Bundle
from bot.nlu.encoder_export import export_encoder
from policies.actions import ActionSpace
from policies.export import export_onnx
from policies.featurizer import BeliefFeaturizer
from policies.networks import DuelingNetwork

SENTENCES = ("a cheap thai place in the north, please", "No!", "Where is my passport?", "naïve café 東京 :-)")
STORY = (
    "I left the passport in the drawer.",
    "Then I took it to the office.",
    "Mary went to the garden.",
    "John took the football to the kitchen.",
)
QUESTIONS = {"Where is my passport?": "office", "Where is Mary?": "garden", "Where is the football?": "kitchen"}


def write_models(folder: Path, assistant: Assistant) -> Config:
    """The configuration of a models folder with all that is exported; needs no training."""
    config = Config(assistant=Path(assistant.path), models=folder, data=folder / "data")
    export_encoder(config.model_dir / "nlu" / "encoder")
    torch.manual_seed(0)
    space, featurizer = ActionSpace(assistant.ontology), BeliefFeaturizer(assistant.ontology)
    network = DuelingNetwork(featurizer.size, space.size, (192, 96))
    export_onnx(network, config.model_dir / "policy", space, featurizer, training={"seed": 0})
    return config


def export(config: Config, assistant: Assistant, out: Path, precision: str = "fp32", *, force: bool = False) -> Bundle:
    """The bundle of these models."""
    return build_bundle(config, assistant, out, ExportSettings(precision, force=force), lambda share, what: None)


def edit(folder: Path, **changes: object) -> None:
    """Change entries of a folder's manifest."""
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
