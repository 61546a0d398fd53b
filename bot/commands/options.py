"""Options that many commands share, and the configuration they lead to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.config import Config

ConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file (default: config.yml).")]
AssistantPath = Annotated[Path | None, typer.Option("--assistant", "-a", help="Assistant folder (default: config's).")]
ModelPath = Annotated[Path | None, typer.Option("--model", help="Folder of the trained model (default: config's).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all randomness (default: config's).")]


def settings(
    config: Path | None,
    assistant: Path | None,
    *,
    seed: int | None = None,
    host: str | None = None,
    port: int | None = None,
    device: str | None = None,
    model: Path | None = None,
) -> Config:
    """The configuration with what the command line overrides."""
    from bot.config import load_config, overridden

    loaded = load_config(config)
    changes: dict[str, object] = {}
    if assistant is not None:
        changes["assistant"] = assistant
    if model is not None:
        changes["model"] = model
    elif assistant is not None:
        changes["model"] = None  # config.yml's is of the assistant that it names
    if seed is not None:
        changes["seed"] = seed
    server = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    if server:
        changes["server"] = {**loaded.server.model_dump(), **server}
    if device is not None:
        changes["training"] = {**loaded.training.model_dump(), "device": device}
    return overridden(loaded, changes)
