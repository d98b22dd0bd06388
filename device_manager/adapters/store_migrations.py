"""How an older database becomes one of today: the steps from each schema version to the next, by Alembic's operations,
the same for SQLite and PostgreSQL (whose first version is 2). A statement that both understand may stand as text.

An older database upgrades by itself when it is opened, in one transaction; a newer one is refused. Samples of the old
ones lie in tests/history.
"""

from sqlalchemy import Connection

MIGRATIONS = {
    1: (
        "ALTER TABLE site ADD COLUMN zone VARCHAR(64) NOT NULL DEFAULT 'Europe/Berlin'",
        "CREATE TABLE decision (id INTEGER NOT NULL PRIMARY KEY, made_ms BIGINT NOT NULL, actor TEXT NOT NULL,"
        " kind VARCHAR(16) NOT NULL, document TEXT NOT NULL)",
    ),
    2: (
        "ALTER TABLE node ADD COLUMN tags TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE site ADD COLUMN heading_deg FLOAT",
        "ALTER TABLE site ADD COLUMN fixture TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE site ADD COLUMN gml_id TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE site ADD COLUMN tags TEXT NOT NULL DEFAULT ''",
    ),
}


def migrate(connection: Connection, found: int, wanted: int) -> None:
    """Bring the tables from version `found` to `wanted`, within the caller's transaction."""
    from alembic.migration import MigrationContext  # here, because every command would wait a quarter second for it
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(connection))
    for version in range(found, wanted):
        for statement in MIGRATIONS[version]:
            operations.execute(statement)
    connection.exec_driver_sql("UPDATE schema_version SET version = ?", (wanted,))
