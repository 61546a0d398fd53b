"""A connection to Ray: a cluster's, or one of this machine's own; what is missing is named. Needs the extra [ray]."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any


class WorkerError(RuntimeError):
    """Workers that can't be reached or died; says which and what to do."""


def connected(address: str | None, without: str = "--ray") -> Any:
    """The module ``ray``, connected to ``address`` (None: a cluster of this machine's own, started here).

    A running connection is used again. WorkerError where Ray isn't installed or nothing answers; ``without`` names the
    option without which the caller needs no Ray.
    """
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # a death fails many calls: it is told once
    try:
        import ray
    except ImportError as error:
        raise WorkerError(f"Ray isn't installed: pip install 'rejoinder[ray]', or go without {without}") from error
    if ray.is_initialized():
        return ray
    token = ", with RAY_AUTH_MODE=token in the environment if it wants one" if "://" in (address or "") else ""
    refused = WorkerError(
        f"Ray at {address or 'this machine'} doesn't answer; start one with `ray start --head`{token}, "
        f"or go without {without}"
    )
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdecimal():  # Ray itself would try for minutes
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except (OSError, OverflowError) as error:
            raise refused from error
    start: Callable[..., Any] = ray.init
    try:
        if address is None:
            start(include_dashboard=False, log_to_driver=False, configure_logging=False)
        else:
            start(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # where a node doesn't come up in time, Ray raises exactly this
        raise refused from error
    return ray
