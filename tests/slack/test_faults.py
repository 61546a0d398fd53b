"""Every event one turn, none lost, through kills, repetitions and a busy Slack; and the test notices broken servers."""

from __future__ import annotations

from pathlib import Path

from bot.channels.slack_delivery import WORKERS
from tests.slack.flood import flood


def test_every_event_is_one_turn_through_two_kills(tmp_path: Path) -> None:
    outcome = flood(tmp_path, 120, channels=12)
    assert (outcome.lost, outcome.doubled, outcome.unanswered, outcome.alarms) == (0, 0, 0, ()), outcome
    assert outcome.sent > 150
    # at least once: only replies in hand at a kill may be repeated
    assert outcome.repeated_replies <= 2 * WORKERS


def test_an_acknowledgement_before_the_commit_is_noticed(tmp_path: Path) -> None:
    outcome = flood(tmp_path, 50, "--trap", "ack-before-commit", restarts=1, channels=20)
    assert outcome.lost > 0, outcome


def test_a_memory_of_events_that_ends_with_the_process_is_noticed(tmp_path: Path) -> None:
    outcome = flood(tmp_path, 50, "--trap", "dedupe-in-memory", restarts=1, channels=20)
    assert outcome.doubled > 0, outcome
