"""How an older database becomes one of today: the steps from each schema version to the next, by Alembic's operations,
the same for SQLite and PostgreSQL (whose first version is 2), then those of the server alone. A statement that is
understood where it runs may stand as text.

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
    3: (),
    4: (),
}
ON_SERVER = {
    3: (
        "CREATE TABLE numbered (head BIGINT NOT NULL)",
        "INSERT INTO numbered SELECT coalesce(max(number), 0) FROM frame",
        "DROP INDEX frame_number",
        "DROP INDEX frame_log",
        "DROP INDEX frame_start",
        "CREATE INDEX frame_number ON frame USING brin (number) WITH (pages_per_range = 32, autosummarize = on)",
        "CREATE INDEX frame_place ON frame ((log_id * 4294967296 + seq)) WITH (fillfactor = 100)",
        "CREATE INDEX frame_begin ON frame ((node_id * 4294967296 + start_s)) WITH (fillfactor = 100)"
        " WHERE start_s IS NOT NULL",
    ),
    4: ("ALTER TABLE frame DROP CONSTRAINT frame_node_id_fkey, DROP CONSTRAINT frame_log_id_fkey",),
}


def migrate(connection: Connection, found: int, wanted: int) -> None:
    """Bring the tables from version `found` to `wanted`, within the caller's transaction."""
    from alembic.migration import MigrationContext  # here, because every command would wait a quarter second for it
    from alembic.operations import Operations

    operations = Operations(MigrationContext.configure(connection))
    for version in range(found, wanted):
        more = ON_SERVER.get(version, ()) if connection.dialect.name == "postgresql" else ()
        for statement in (*MIGRATIONS[version], *more):
            operations.execute(statement)
    connection.exec_driver_sql("UPDATE schema_version SET version = ?", (wanted,))
