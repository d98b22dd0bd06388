"""Accounts of consumers in the operations database; a token itself is kept nowhere."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.twin.accounts import Account

twin_account = Table(
    "twin_account",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sites", Text, nullable=False),  # names with commas between them, "" for all
    Column("per_minute", Integer, nullable=False),
    Column("made_s", BigInteger, nullable=False),
    Column("revoked_s", BigInteger, nullable=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("mqtt", String(200), nullable=False),
)


class SqlAccounts:
    """The `Accounts` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(twin_account)

    def all(self) -> list[Account]:
        """See `Accounts.all`."""
        with self._operations.reading() as connection:
            rows = connection.execute(select(twin_account).order_by(twin_account.c.name)).all()
        return [Account(row[0], frozenset(filter(None, row[1].split(","))), *row[2:]) for row in rows]

    def add(self, account: Account) -> None:
        """See `Accounts.add`."""
        with self._operations.begin() as connection:
            row = {**account._asdict(), "sites": ",".join(sorted(account.sites))}
            connection.execute(insert(twin_account).values(row))

    def revoke(self, name: str, now_s: int) -> None:
        """See `Accounts.revoke`."""
        with self._operations.begin() as connection:
            connection.execute(update(twin_account).where(twin_account.c.name == name).values(revoked_s=now_s))
