"""Fetch ONNX Runtime for browsers: ``python -m bot.export.web_runtime``.

onnxruntime-web (MIT), its WebAssembly build alone. It is only needed to run exported files in a browser, or under
WebAssembly here (`rejoinder export --measure`), so it is kept in the cache folder beside the exported encoders.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bot.nlu.encoder_export import cache_folder
from bot.npm_package import NpmPackage, NpmPackageError

MODULE = "ort.wasm.min.mjs"
"""What a page imports."""
ONNXRUNTIME_WEB = NpmPackage(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    {
        MODULE: (
            "package/dist/ort.wasm.min.mjs",
            "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        ),
        "ort-wasm-simd-threaded.mjs": (
            "package/dist/ort-wasm-simd-threaded.mjs",
            "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
        ),
        "ort-wasm-simd-threaded.wasm": (
            "package/dist/ort-wasm-simd-threaded.wasm",
            "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        ),
    },
    "python -m bot.export.web_runtime",
    "Exporting works without it; only running the files under WebAssembly needs it.",
)


def web_runtime() -> Path:
    """The folder of the runtime, fetched when it is missing; NpmPackageError when it can't be had."""
    folder = cache_folder() / f"{ONNXRUNTIME_WEB.name}-{ONNXRUNTIME_WEB.version}"
    ONNXRUNTIME_WEB.build(folder)
    return folder


def main() -> int:
    """Fetch and say where it is; exit code 1 with the remedy on stderr when it can't."""
    try:
        print(f"{ONNXRUNTIME_WEB.name} {ONNXRUNTIME_WEB.version} is in {web_runtime()}")
    except NpmPackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
