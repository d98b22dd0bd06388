"""Composition of `citynode store copy`: move a fleet from SQLite to PostgreSQL."""

from dataclasses import replace
from pathlib import Path

from device_manager import settings as settings_file
from device_manager.adapters.store_copy import Copied, copy_store
from device_manager.database import parse
from device_manager.errors import UsageError
from device_manager.only_one import only_one
from device_manager.settings import Settings


def copy(settings: Settings, url: str, *, switch: bool) -> Copied:
    """Copy the store of a data directory to the database of `url`; `switch` uses it from then on."""
    source, target = settings.database, parse(url)
    if not isinstance(source, Path):
        todo = "move between servers with pg_dump and pg_restore"
        raise UsageError(expected="a store in SQLite", got=f"one in {source}", todo=todo)
    with only_one(settings.lock):
        done = copy_store(source, target)
        if switch:
            settings_file.save(replace(settings, store_url=url))
    return done
