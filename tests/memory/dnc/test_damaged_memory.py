"""A memory that is damaged, or whose manifest says something else than its networks, is refused by name when loaded."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from memory.dnc.export import GRAPHS, export_memory
from memory.dnc.reader import MANIFEST_FILE, READ_FILE, WRITE_FILE, MemoryModelError, StoryMemory
from memory.dnc.story_model import StoryModel, StorySettings
from memory.dnc.words import babi_lexicon

LEXICON = babi_lexicon()
SETTINGS = StorySettings(lexicon=len(LEXICON), relation=16, hops=1, key_size=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(0)
    export_memory(StoryModel(SETTINGS), LEXICON, folder, {})
    assert sorted(path.name for path in folder.iterdir()) == sorted([*GRAPHS, MANIFEST_FILE])
    StoryMemory.load(folder)
    return folder


def change(folder: Path, what: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    what(manifest)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def replace_graph(folder: Path, name: str, data: bytes) -> None:
    """Another graph, and a manifest that says it is the right one."""
    (folder / name).write_bytes(data)
    change(folder, lambda manifest: manifest["sha256"].update({name: hashlib.sha256(data).hexdigest()}))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_damaged_graph(whole: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(whole, tmp_path / "memory")
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(MemoryModelError, match=f"{name}: sha256 differs from the manifest"):
        StoryMemory.load(folder)
    for broken in (data[: len(data) // 2], b"", b"not a network"):
        replace_graph(folder, name, broken)
        with pytest.raises(MemoryModelError, match=f"{name}: not a network that can be run.*train again"):
            StoryMemory.load(folder)
    (folder / name).unlink()
    with pytest.raises(MemoryModelError, match=f"{name}: no such file"):
        StoryMemory.load(folder)


@pytest.mark.parametrize(("part", "name"), [("writer.norm", WRITE_FILE), ("said", READ_FILE)])
def test_weights_that_are_not_finite(tmp_path: Path, part: str, name: str) -> None:
    torch.manual_seed(0)
    model = StoryModel(SETTINGS)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter_name.startswith(part):
                parameter.fill_(float("nan"))
    export_memory(model, LEXICON, tmp_path, {})
    with pytest.raises(MemoryModelError, match=f"{name}: the network's output is not finite"):
        StoryMemory.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("relation", 32), ("length", 8), ("embedding", 32), ("identities", 12), ("slots", 1), ("arguments", 2),
     ("relation", "x"), ("length", None)],
)  # fmt: skip
def test_settings_that_are_not_the_networks(whole: Path, tmp_path: Path, name: str, value: object) -> None:
    folder = shutil.copytree(whole, tmp_path / "memory")
    change(folder, lambda manifest: manifest["settings"].update({name: value}))
    with pytest.raises(MemoryModelError, match=r"(manifest\.json|read\.onnx): .*train again"):
        StoryMemory.load(folder)


@pytest.mark.parametrize(
    "text", [b"[]", b"{", b"\xff\xfe\x00", b"null", b'{"format": 1}', b'{"format": 1, "sha256": []}']
)
def test_a_manifest_that_is_none(whole: Path, tmp_path: Path, text: bytes) -> None:
    folder = shutil.copytree(whole, tmp_path / "memory")
    (folder / MANIFEST_FILE).write_bytes(text)
    with pytest.raises(MemoryModelError, match=r"manifest\.json: not the manifest of a memory.*train again"):
        StoryMemory.load(folder)


def test_graphs_in_each_others_place(whole: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(whole, tmp_path / "memory")
    first, second = (folder / WRITE_FILE).read_bytes(), (folder / READ_FILE).read_bytes()
    replace_graph(folder, WRITE_FILE, second)
    replace_graph(folder, READ_FILE, first)
    with pytest.raises(MemoryModelError, match=r"manifest\.json: the networks don't fit its settings"):
        StoryMemory.load(folder)
