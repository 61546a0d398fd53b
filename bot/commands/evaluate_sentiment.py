"""``rejoinder evaluate sentiment``: the mood that is heard against what people rated (Hutto & Gilbert 2014)."""

from __future__ import annotations

import lzma
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from bot.errors import CommandError
from bot.nlu.sentiment import sentiment
from bot.report import console, print_json, print_table

HIGHEST = 4.0
"""Ratings are means of people's ratings from -4 (extremely negative) to 4 (extremely positive)."""
Floats = NDArray[np.float64]


def evaluate_sentiment(file: Path, *, as_json: bool) -> None:
    """Score every text of ``file`` as a message would be, and report how well the scores go with the ratings.

    JSON: ``pearson_r``, ``spearman_r``, ``mae`` (of the score from -1 to 1 against rating / 4), ``n``, ``seconds``.
    """
    ratings, texts = read_rated(file)
    shown = track(texts, description="sentences", console=console, disable=as_json)
    started = time.perf_counter()
    scores = np.array([sentiment(text) for text in shown])
    seconds = time.perf_counter() - started
    report = agreement(scores, np.array(ratings) / HIGHEST) | {"n": len(texts), "seconds": round(seconds, 3)}
    if as_json:
        print_json(report)
    else:
        print_table(f"sentiment, {file.name}", list(report), [list(report.values())])


def read_rated(file: Path) -> tuple[list[float], list[str]]:
    """Ratings and texts of lines ``id <tab> mean rating <tab> text``, plain or .xz; CommandError names a bad line."""
    ratings: list[float] = []
    texts: list[str] = []
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        where, parts = f"{file}:{number}", line.rstrip("\r").split("\t", 2)
        if len(parts) != 3:
            raise CommandError(f"{where}: {len(parts)} columns: a line is an id, a mean rating and a text, with tabs")
        try:
            rating = float(parts[1])
        except ValueError:
            rating = math.nan
        if not abs(rating) <= HIGHEST:
            raise CommandError(f"{where}: rating {parts[1]!r}: it is a number from -4 to 4")
        ratings.append(rating)
        texts.append(parts[2])
    if len(texts) < 2 or len(set(ratings)) < 2:
        raise CommandError(f"{file}: {len(texts)} rated texts, {len(set(ratings))} ratings: nothing to compare")
    return ratings, texts


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        return (lzma.decompress(data) if file.suffix == ".xz" else data).decode()
    except (lzma.LZMAError, EOFError) as error:
        raise CommandError(f"{file}: not a whole .xz file ({error})") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = f"{file}:{line}" if file.suffix != ".xz" else str(file)
        raise CommandError(f"{where}: not UTF-8 ({error.reason}): save the file as UTF-8") from None


def agreement(scores: Floats, ratings: Floats) -> dict[str, Any]:
    """Pearson and Spearman correlation, null where all scores are equal, and the mean absolute difference."""
    return {
        "pearson_r": _correlation(scores, ratings),
        "spearman_r": _correlation(_ranks(scores), _ranks(ratings)),
        "mae": float(np.abs(scores - ratings).mean()),
    }


def _correlation(a: Floats, b: Floats) -> float | None:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Floats) -> Floats:
    """(N,) ranks from 1; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Floats = (last - (counts - 1) / 2)[which].astype(np.float64)
    return mean
