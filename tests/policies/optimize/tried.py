"""Objectives for the tests of tuning; a module of their own, so that the trials' processes start quickly."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any


def bowl(setting: Mapping[str, Any], report: Any) -> float:
    return -((setting["x"] - 0.3) ** 2) - (setting["n"] - 7) ** 2


def troublesome(setting: Mapping[str, Any], report: Any) -> float:
    match setting["n"] % 5:
        case 1:
            return math.nan
        case 2:
            os._exit(7)
        case 3:
            time.sleep(60)
        case 4:
            raise ZeroDivisionError("by the slot count")
    return 1.0


def stepping(setting: Mapping[str, Any], report: Any) -> float:
    for step in range(4):
        report(step, float(setting["x"]))
    return float(setting["x"])
