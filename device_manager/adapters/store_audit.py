"""The audit log in the operations database: rows are added and read, never changed."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, insert, select

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.audit import Entry

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text, nullable=False),  # JSON
    Column("after", Text, nullable=False),  # JSON
    Index("audit_subject", "subject", "number"),
)


class SqlAudit:
    """The `AuditLog` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(audit_entry)

    def append(self, entry: Entry) -> int:
        """See `AuditLog.append`."""
        row = {name: value for name, value in entry._asdict().items() if name != "number"}
        with self._operations.begin() as connection:
            wanted = insert(audit_entry).values(**row).returning(audit_entry.c.number)
            return int(connection.execute(wanted).scalar_one())

    def entries(self, *, before: int | None = None, limit: int = 100, subject: str | None = None) -> list[Entry]:
        """See `AuditLog.entries`."""
        wanted = select(audit_entry).order_by(audit_entry.c.number.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(audit_entry.c.number < before)
        if subject is not None:
            wanted = wanted.where(audit_entry.c.subject == subject)
        with self._operations.reading() as connection:
            return [Entry(*row) for row in connection.execute(wanted)]
