"""A network in an ONNX file, opened for serving only as its manifest describes it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def open_session(path: Path, sha256: str, error: type[Exception], remedy: str) -> Any:
    """An ``onnxruntime.InferenceSession`` on one CPU thread.

    Args:
        path: the ONNX file.
        sha256: its hash by the manifest, hexadecimal.
        error: what is raised for a file that is missing, differs from its hash or is no model; the message names it.
        remedy: what to do then, e.g. "train the policy again".
    """
    import onnxruntime

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path}: no such file: {remedy}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise error(f"{path}: sha256 differs from the manifest: the file is damaged, {remedy}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as reason:
        raise error(f"{path}: not an ONNX model ({reason}): {remedy}") from None
