"""What can be exported: the trained parts where the server finds them, checked, and what must be said about each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.assistant import Assistant
from bot.config import Config
from bot.export.bundle import MANIFEST_FILE, BundleError
from bot.learning.versions import PolicyVersions
from bot.nlu.encoder import FILES as ENCODER_FILES
from bot.nlu.encoder import Encoder
from memory.dnc.reader import READ_FILE, SHIPPED, WRITE_FILE, StoryMemory
from policies.export import MODEL_FILE, OnnxPolicy

LICENCES = {"all-MiniLM-L6-v2": "Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2)"}
"""Pretrained encoders that may be handed on, and on what terms."""
_OWN = "the exporter's own: trained here, no pretrained weights in it"
_SHIPPED = "Apache-2.0 (Rejoinder's; trained on bAbI, CC BY 3.0, and generated stories)"
LONGEST_AGE = 5.6
"""log(1 + 256 statements): see ``memory.dnc.reader``."""


@dataclass(frozen=True)
class Source:
    """One trained part.

    Attributes:
        folder: its folder in the bundle.
        path: where its files are.
        files: file name -> role.
        settings: makes the part's own manifest, given the hashes of its files by name.
        ranges: lowest and highest meaningful value of inputs by name.
        halved: roles whose weights may be stored in half precision.
    """

    folder: str
    path: Path
    files: Mapping[str, str]
    settings: Callable[[Mapping[str, str]], dict[str, Any]]
    ranges: dict[str, tuple[float, float]]
    version: str
    precision: str
    licence: str
    trained_on: Mapping[str, Any]
    halved: tuple[str, ...] = ()


def encoder_source(config: Config, assistant: Assistant, licence: str | None) -> Source:
    """The sentence encoder of the trained NLU; BundleError when there is none or it may not be handed on."""
    folder = config.model_dir / "nlu" / "encoder"
    if not (folder / MANIFEST_FILE).is_file():
        raise _untrained(config, assistant)
    Encoder(folder)  # checks its files
    manifest = _manifest(folder)
    name = str(manifest["name"]).removeprefix("sentence-transformers/")
    terms = licence or LICENCES.get(name)
    if terms is None:
        raise BundleError(
            f"{folder}: it is not known on what terms the pretrained encoder {name!r} may be handed on: "
            "read its licence, and name it with --encoder-licence"
        )
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    return Source(
        folder="encoder",
        path=folder,
        files=dict(zip(ENCODER_FILES, ("encoder", "tokenizer"), strict=True)),
        settings=lambda hashes: {**manifest, "sha256": dict(hashes)},
        ranges={"input_ids": (0, vocabulary - 1), "attention_mask": (1, 1), "token_type_ids": (0, 0)},
        version=manifest["sha256"]["model.onnx"][:12],
        precision=manifest["precision"],
        licence=terms,
        trained_on={key: value for key, value in manifest.items() if key in ("name", "mean_cosine_to_fp32", "size")},
    )


def policy_source(config: Config, assistant: Assistant) -> Source:
    """The policy that is served now; BundleError when none is trained, ModelError when it is of another assistant."""
    folder = config.model_dir / "policy"
    if not (folder / MANIFEST_FILE).is_file():
        raise _untrained(config, assistant)
    folder = PolicyVersions(folder).served()
    policy = OnnxPolicy.load(folder, assistant.ontology)
    manifest = _manifest(folder)
    return Source(
        folder="policy",
        path=folder,
        files={MODEL_FILE: "policy"},
        settings=lambda hashes: {**manifest, "sha256": hashes[MODEL_FILE]},
        ranges={"features": (0, 1)},
        version=policy.version,
        precision="fp32",
        licence=_OWN,
        trained_on=policy.manifest.training or {},
        halved=("policy",),
    )


def memory_source(folder: Path | None) -> Source:
    """The memory of ``folder``, by default the one that comes with the package."""
    path = folder or SHIPPED
    memory = StoryMemory.load(path)
    manifest = _manifest(path)
    words = memory.settings["lexicon"]
    return Source(
        folder="memory",
        path=path,
        files={WRITE_FILE: "memory_write", READ_FILE: "memory_read"},
        settings=lambda hashes: {**manifest, "sha256": dict(hashes)},
        ranges={
            "words": (0, words + memory.settings["identities"] - 1),
            "meanings": (0, words - 1),
            "named": (0, words - 1),
            "relations": (-1, 1),
            "fillers": (-1, 1),
            "ages": (0, LONGEST_AGE),
        },
        version=manifest["sha256"][READ_FILE][:12],
        precision="fp32",
        licence=_SHIPPED if path.resolve() == SHIPPED.resolve() else _OWN,
        trained_on={key: value for key, value in memory.training.items() if key != "curve"},
        halved=("memory_write", "memory_read"),
    )


def _manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    return manifest


def _untrained(config: Config, assistant: Assistant) -> BundleError:
    return BundleError(f"{config.model_dir}: nothing is trained for {assistant.name!r}: run `rejoinder train`")
