"""What Prometheus sees: counters and histograms without any id or text in a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHANNELS = ("rest", "widget", "slack", "socketio", "terminal")
"""Names that a label may have; a client may call its channel anything."""
STAGES = ("nlu", "track", "policy", "nlg", "store", "turn")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The server's own registry; nothing global, so that several servers can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._turns = Counter("rejoinder_turns", "Turns answered.", ["channel"], registry=self.registry)
        self._duplicates = Counter("rejoinder_duplicates", "Answers repeated from the store.", registry=self.registry)
        self._errors = Counter("rejoinder_errors", "Turns not answered, by kind.", ["kind"], registry=self.registry)
        self._decisions = Counter("rejoinder_decisions", "Turns, by who decided.", ["policy"], registry=self.registry)
        self._feedback = Counter("rejoinder_feedback", "Thumbs given.", ["value"], registry=self.registry)
        seconds = Histogram(
            "rejoinder_stage_seconds",
            "Time of one stage of a turn.",
            ["stage"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # a label value looked up once costs nothing per turn
        self._seconds = {stage: seconds.labels(stage) for stage in STAGES}

    def watch(self, name: str, description: str, read: Callable[[], float]) -> None:
        """A gauge that is read when asked for."""
        Gauge(name, description, registry=self.registry).set_function(read)

    def turn(self, channel: str, seconds: float, store_seconds: float, timings_ms: Mapping[str, float]) -> None:
        """One answered turn: its total, its commit and the engine's own stages (milliseconds)."""
        self._turns.labels(channel if channel in CHANNELS else "other").inc()
        self._seconds["turn"].observe(seconds)
        self._seconds["store"].observe(store_seconds)
        for stage, milliseconds in timings_ms.items():
            if stage in self._seconds:
                self._seconds[stage].observe(milliseconds / 1000)

    def decision(self, policy: str) -> None:
        """A turn was decided by ``policy``, or by the layer of a stack that it names (``stack/rules``)."""
        self._decisions.labels(policy).inc()

    def duplicate(self) -> None:
        """A message id was sent again."""
        self._duplicates.inc()

    def error(self, kind: str) -> None:
        """A turn failed; ``kind`` is one of a fixed set of names."""
        self._errors.labels(kind).inc()

    def feedback(self, value: int) -> None:
        """A thumb up (1) or down (-1)."""
        self._feedback.labels(str(value)).inc()

    def page(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)
