"""The retention policy: `retention.toml` in the data directory; without it nothing is archived or forgotten.

window_days = 400                 frames of the last so many days stay in the database
archive = "archive"               a directory (relative ones beside the database), or s3://bucket/path

[keep_days]                       readings are forgotten after so many days; their roll-ups stay for ever
footfall_in = 1100
footfall_out = 1100
"""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from device_manager.errors import SetupError
from firmware.wire.quantities import QUANTITIES

FILE_NAME = "retention.toml"
LEAST_WINDOW_DAYS = 35  # a month is archived as a whole, and late frames must have come by then


class Policy(NamedTuple):
    """`window_days` of frames stay in the database; `keep_days` by quantity, the others are kept for ever."""

    window_days: int
    archive: str
    keep_days: dict[str, int]


def load(directory: Path) -> Policy | None:
    """Read and check the policy of a data directory; None when it has none; SetupError names the key at fault."""
    path = directory / FILE_NAME
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(expected=f"TOML in {path}", got=str(error), todo="mend the file") from error
    return parse(document, path)


def parse(document: dict[str, Any], where: Path) -> Policy:
    """Check the content of `retention.toml`."""
    window, archive = document.pop("window_days", 400), document.pop("archive", "archive")
    keep = document.pop("keep_days", {})
    if document:
        _refuse(where, next(iter(document)), "only window_days, archive and keep_days", "another key")
    if not isinstance(window, int) or isinstance(window, bool) or window < LEAST_WINDOW_DAYS:
        _refuse(where, "window_days", f"{LEAST_WINDOW_DAYS} or more", window)
    if not isinstance(archive, str) or not archive:
        _refuse(where, "archive", "a directory or an s3:// address", archive)
    if not isinstance(keep, dict):
        _refuse(where, "keep_days", "a table of quantities", keep)
    for name, days in keep.items():
        if name not in QUANTITIES:
            _refuse(where, f"keep_days.{name}", "a quantity of `citynode hardware list`", name)
        if not isinstance(days, int) or isinstance(days, bool) or days < window:
            _refuse(where, f"keep_days.{name}", f"{window} (window_days) or more", days)
    return Policy(window, archive, dict(keep))


def _refuse(where: Path, key: str, expected: str, got: object) -> NoReturn:
    raise SetupError(expected=f"{expected} for {key} in {where}", got=repr(got), todo="mend the file")
