"""The manager's log as JSON lines."""

from __future__ import annotations

import json
import logging
import sys

from device_manager.cli.logs import JsonLines


def test_json_line_says_when_who_what() -> None:
    record = logging.LogRecord("citynode.alerts", logging.WARNING, "", 0, "alert %d\nraised", (3,), None)
    record.created, record.msecs = 1_760_000_000.25, 250.0
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-10-09T08:53:20.250Z",
        "level": "warning",
        "logger": "citynode.alerts",
        "message": "alert 3\nraised",
    }


def test_json_line_of_an_error_carries_its_traceback() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("citynode", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    assert "ValueError: no" in json.loads(JsonLines().format(record))["traceback"]
