"""Find a Chromium for the browser tests, or install one; ``python -m tests.browser`` makes sure that there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Path of a browser: $REJOINDER_BROWSER, one on the PATH, or the one that playwright has fetched."""
    if named := os.environ.get("REJOINDER_BROWSER"):
        return named
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install_browser() -> None:
    """Debian's package where we may install it, else playwright's own build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
        done = subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False, env=environment)
        if done.returncode == 0:
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> int:
    """Exit 0 when a browser is there at the end."""
    if find_browser() is None:
        print("installing a browser for the tests")
        install_browser()
    found = find_browser()
    print(f"browser: {found}" if found else "no browser: install chromium, or name one in REJOINDER_BROWSER")
    return 0 if found else 1


if __name__ == "__main__":
    raise SystemExit(main())
