"""Ids of the twin's entities in the operations database: given once, never changed, never given again."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BigInteger, Column, Float, Integer, String, Table, UniqueConstraint, func, insert, select

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.twin.ports import Placed

twin_id = Table(
    "twin_id",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("id", Integer, primary_key=True, autoincrement=False),  # counts from 1 within its kind
    Column("key", String(200), nullable=False),
    UniqueConstraint("kind", "key"),
)

twin_place = Table(
    "twin_place",
    metadata,
    Column("location_id", Integer, primary_key=True),
    Column("site_id", Integer, nullable=False),
    Column("since_s", BigInteger, nullable=False),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    Column("height_m", Float, nullable=False),
)


class SqlTwinIds:
    """The `Identities` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(twin_id, twin_place)

    def ids(self, kind: str) -> Mapping[str, int]:
        """See `Identities.ids`."""
        wanted = select(twin_id.c.key, twin_id.c.id).where(twin_id.c.kind == kind).order_by(twin_id.c.id)
        with self._operations.reading() as connection:
            return {key: number for key, number in connection.execute(wanted)}

    def give(self, kind: str, keys: Iterable[str]) -> None:
        """See `Identities.give`."""
        with self._operations.begin() as connection:
            known = set(connection.execute(select(twin_id.c.key).where(twin_id.c.kind == kind)).scalars())
            wanted = [key for key in dict.fromkeys(keys) if key not in known]
            last = connection.execute(select(func.max(twin_id.c.id)).where(twin_id.c.kind == kind)).scalar() or 0
            if wanted:
                rows = [{"kind": kind, "id": last + n, "key": key} for n, key in enumerate(wanted, start=1)]
                connection.execute(insert(twin_id), rows)

    def places(self) -> Sequence[Placed]:
        """See `Identities.places`."""
        wanted = select(twin_place).order_by(twin_place.c.since_s, twin_place.c.location_id)
        with self._operations.reading() as connection:
            return [Placed(*row) for row in connection.execute(wanted)]

    def move(self, places: Iterable[Placed]) -> None:
        """See `Identities.move`."""
        rows = [{k: v for k, v in place._asdict().items() if k != "location_id"} for place in places]
        if rows:
            with self._operations.begin() as connection:
                connection.execute(insert(twin_place), rows)
