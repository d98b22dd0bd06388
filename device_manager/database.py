"""Where a fleet's tables lie: a SQLite file with two more beside it, or one PostgreSQL database.

>>> str(parse("postgresql://citynode:secret@db.example/city"))
'postgresql://citynode:***@db.example/city'
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from device_manager.errors import SetupError

SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True)
class ServerDatabase:
    """A database on a PostgreSQL server; `url` is libpq's, with all that is needed to connect."""

    url: str

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        if parts.password is None:
            return self.url
        return self.url.replace(f":{parts.password}@", ":***@", 1)


Database = Path | ServerDatabase


def address(database: Database) -> str:
    """Return a text that other processes find it by; see `at`."""
    return database.url if isinstance(database, ServerDatabase) else str(database.absolute())


def at(text: str) -> Database:
    """Return the database of an `address`."""
    return parse(text) if "://" in text else Path(text)


def parse(url: str) -> ServerDatabase:
    """Return the database of a URL; SetupError when it is no PostgreSQL one."""
    scheme, colon, rest = url.partition("://")
    if scheme not in SCHEMES or not colon or not rest:
        todo = "write postgresql://USER@HOST/DATABASE, or leave it empty for SQLite in the data directory"
        raise SetupError(expected="the URL of a PostgreSQL database", got=repr(url), todo=todo)
    return ServerDatabase(f"postgresql://{rest}")
