"""Alerts, silences and health over time in the operations database. See `monitoring.service.AlertStore`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.monitoring.alert import Alert
from device_manager.monitoring.health import DAY_S, Day, Sample, packed, unpacked
from device_manager.monitoring.silence import Silence

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

alert_table = Table(
    "alert",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),
    Column("rule", String(64), nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("cleared_ms", BigInteger),
    Column("document", Text, nullable=False),  # JSON: the other fields of Alert
    Column("acknowledged_by", Text),
    Column("acknowledged_ms", BigInteger),
    Column("note", Text, nullable=False, default=""),
    Index("alert_open", "cleared_ms", "number"),
)
silence_table = Table(
    "alert_silence",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("rule", String(64), nullable=False),
    Column("nodes", Text, nullable=False),  # JSON
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
)
health_table = Table(
    "health_day",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970, UTC
    Column("block", LargeBinary, nullable=False),
)
_COLUMNS = {"number", "rule", "raised_ms", "cleared_ms", "acknowledged_by", "acknowledged_ms", "note"}
_TUPLES = ("nodes", "subjects", "explained")
_IN_DOCUMENT = tuple(field.name for field in fields(Alert) if field.name not in _COLUMNS)


class SqlAlerts:
    """The `AlertStore` port. Any number of processes may read and acknowledge; one saves alerts and health."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(alert_table, silence_table, health_table)

    def open_alerts(self) -> list[Alert]:
        """See `AlertStore.open_alerts`."""
        wanted = select(alert_table).where(alert_table.c.cleared_ms.is_(None)).order_by(alert_table.c.number)
        with self._operations.reading() as connection:
            return [_alert(row) for row in connection.execute(wanted)]

    def newest(self, limit: int, *, node: str | None = None) -> list[Alert]:
        """See `AlertStore.newest`."""
        wanted = select(alert_table).order_by(alert_table.c.number.desc())
        found: list[Alert] = []
        with self._operations.reading() as connection:
            for row in connection.execute(wanted):
                alert = _alert(row)
                if node is None or node in alert.nodes:
                    found.append(alert)
                if len(found) >= limit:
                    break
        return found

    def alert(self, number: int) -> Alert | None:
        """See `AlertStore.alert`."""
        with self._operations.reading() as connection:
            row = connection.execute(select(alert_table).where(alert_table.c.number == number)).first()
        return _alert(row) if row else None

    def last_number(self) -> int:
        """See `AlertStore.last_number`."""
        with self._operations.reading() as connection:
            return int(connection.execute(select(func.max(alert_table.c.number))).scalar() or 0)

    def save(self, alerts: Sequence[Alert]) -> None:
        """See `AlertStore.save`."""
        if not alerts:
            return
        with self._operations.begin() as connection:
            known = set(connection.execute(select(alert_table.c.number).where(_among(alerts))).scalars())
            for alert in alerts:
                row = _row(alert)
                if alert.number in known:
                    connection.execute(update(alert_table).where(alert_table.c.number == alert.number).values(**row))
                else:
                    connection.execute(insert(alert_table).values(number=alert.number, note=alert.note, **row))

    def acknowledge(self, number: int, actor: str, at_ms: int, note: str) -> None:
        """See `AlertStore.acknowledge`."""
        values = {"acknowledged_by": actor, "acknowledged_ms": at_ms, "note": note}
        with self._operations.begin() as connection:
            connection.execute(update(alert_table).where(alert_table.c.number == number).values(**values))

    def silences(self, after_ms: int) -> list[Silence]:
        """See `AlertStore.silences`."""
        wanted = select(silence_table).where(silence_table.c.until_ms > after_ms).order_by(silence_table.c.number)
        with self._operations.reading() as connection:
            rows = connection.execute(wanted).all()
        return [Silence(**{**row._mapping, "nodes": tuple(json.loads(row.nodes))}) for row in rows]

    def add_silence(self, silence: Silence) -> Silence:
        """See `AlertStore.add_silence`."""
        row = {**silence._asdict(), "nodes": json.dumps(silence.nodes)}
        del row["number"]
        with self._operations.begin() as connection:
            wanted = insert(silence_table).values(**row).returning(silence_table.c.number)
            return silence._replace(number=int(connection.execute(wanted).scalar_one()))

    def end_silence(self, number: int, at_ms: int) -> None:
        """See `AlertStore.end_silence`."""
        with self._operations.begin() as connection:
            connection.execute(update(silence_table).where(silence_table.c.number == number).values(until_ms=at_ms))

    def health(self, node: str, since_s: int, until_s: int) -> list[Sample]:
        """See `AlertStore.health`."""
        days = health_table.c.day.between(since_s // DAY_S, until_s // DAY_S)
        wanted = select(health_table.c.block).where(health_table.c.node == node, days).order_by(health_table.c.day)
        with self._operations.reading() as connection:
            blocks = connection.execute(wanted).scalars().all()
        return [sample for block in blocks for sample in unpacked(block).samples if since_s <= sample[0] < until_s]

    def add_health(self, samples: dict[str, Sample]) -> None:
        """See `AlertStore.add_health`."""
        if not samples:
            return
        with self._operations.begin() as connection:
            for day in {at // DAY_S for at, _ in samples.values()}:
                mine = {node: sample for node, sample in samples.items() if sample[0] // DAY_S == day}
                _add_to_day(connection, day, mine)


def _add_to_day(connection: Connection, day: int, samples: dict[str, Sample]) -> None:
    wanted = select(health_table.c.node, health_table.c.block).where(health_table.c.day == day)
    known = {node: block for node, block in connection.execute(wanted).all() if node in samples}
    rows = []
    for node, sample in samples.items():
        before = unpacked(known[node]).samples if node in known else []
        rows.append({"node": node, "day": day, "block": packed(Day([*before, sample]))})
    for node in known:
        connection.execute(delete(health_table).where(health_table.c.day == day, health_table.c.node == node))
    connection.execute(insert(health_table), rows)


def _among(alerts: Iterable[Alert]) -> Any:
    return alert_table.c.number.in_([alert.number for alert in alerts])


def _row(alert: Alert) -> dict[str, object]:
    document = {name: getattr(alert, name) for name in _IN_DOCUMENT}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return {"rule": alert.rule, "raised_ms": alert.raised_ms, "cleared_ms": alert.cleared_ms, "document": text}


def _alert(row: Row[Any]) -> Alert:
    """Return an alert; keys of a newer citynode are left out, and missing ones have their defaults."""
    document = {name: value for name, value in json.loads(row.document).items() if name in _IN_DOCUMENT}
    lists = {name: tuple(document[name]) for name in _TUPLES}
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return Alert(**{**document, **lists, **columns})
