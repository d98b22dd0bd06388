"""How far readers of the observation numbers have come, in the operations database."""

from sqlalchemy import BigInteger, Column, String, Table, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata

twin_cursor = Table(
    "twin_cursor",
    metadata,
    Column("name", String(300), primary_key=True),
    Column("number", BigInteger, nullable=False),
)


class SqlCursors:
    """The `Cursors` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(twin_cursor)

    def get(self, name: str) -> int | None:
        """See `Cursors.get`."""
        wanted = select(twin_cursor.c.number).where(twin_cursor.c.name == name)
        with self._operations.reading() as connection:
            return connection.execute(wanted).scalar_one_or_none()

    def put(self, name: str, number: int) -> None:
        """See `Cursors.put`."""
        moved = update(twin_cursor).where(twin_cursor.c.name == name).values(number=number)
        with self._operations.begin() as connection:
            if not connection.execute(moved).rowcount:
                connection.execute(insert(twin_cursor).values(name=name, number=number))
