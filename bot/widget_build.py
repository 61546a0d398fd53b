"""Fetch the chat component that the widget is built on: ``python -m bot.widget_build``.

deep-chat (MIT) is neither committed nor loaded from a CDN at run time: it is put into ``bot/widget/vendor/`` at set-up.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bot.npm_package import NpmPackage, NpmPackageError

FILES = {
    "deepChat.bundle.js": (
        "package/dist/deepChat.bundle.js",
        "4be8e65b12c0678ccc06fd157a402be4dc7c01f910056166518781f1de2d6ad7",
    ),
    "LICENSE": ("package/LICENSE", "12d11204300c461fc3ba872703c1f15e8dc8e07fb58a3111d476ae6903db5388"),
}
"""File in ``vendor/`` -> (member of the package file, sha256)."""
DEEP_CHAT = NpmPackage(
    "deep-chat",
    "2.4.2",
    "sha512-wQNd6Z6HDoH7OMeoQKpmxDm9XdWrRjMkBJ2yl5tsYND9Dz2UCv/BdGVM8vK2V0mhO1u+OniHYPWDGvjlNxjCeQ==",
    FILES,
    "python -m bot.widget_build",
    "Everything but the chat page works without it.",
)
VENDOR = Path(__file__).parent / "widget" / "vendor"


def is_complete(vendor: Path = VENDOR) -> bool:
    """Whether every vendored file is present with the right content."""
    return DEEP_CHAT.is_complete(vendor)


def build(vendor: Path = VENDOR) -> bool:
    """Make ``vendor`` complete; returns whether anything had to be fetched. Raises NpmPackageError."""
    return DEEP_CHAT.build(vendor)


def main() -> int:
    """Fetch and say what happened; exit code 1 with the remedy on stderr when it can't."""
    try:
        fetched = build()
    except NpmPackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{DEEP_CHAT.name} {DEEP_CHAT.version} {'fetched into' if fetched else 'is present in'} {VENDOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
