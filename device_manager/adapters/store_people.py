"""People and their sessions in the operations database."""

from sqlalchemy import BigInteger, Column, String, Table, Text, delete, insert, select, update

from device_manager.adapters.store_operations import Operations, metadata
from device_manager.people import Person
from device_manager.people.sessions import Session

person = Table(
    "person",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("password", Text, nullable=False),  # argon2id, or empty
    Column("added_ms", BigInteger, nullable=False),
)
web_session = Table(
    "web_session",
    metadata,
    Column("key", String(64), primary_key=True),  # hash of the token
    Column("person", String(64), nullable=False, index=True),
    Column("begun_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
)


class SqlPeople:
    """The `PeopleStore` port."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        operations.ensure(person, web_session)

    def people(self) -> list[Person]:
        """Return all people."""
        with self._operations.reading() as connection:
            return [Person(*row) for row in connection.execute(select(person))]

    def person(self, name: str) -> Person | None:
        """Return the person of that name."""
        with self._operations.reading() as connection:
            row = connection.execute(select(person).where(person.c.name == name)).first()
        return Person(*row) if row else None

    def put(self, one: Person) -> None:
        """Add a person, or write what is known of one anew."""
        with self._operations.begin() as connection:
            known = update(person).where(person.c.name == one.name).values(**one._asdict())
            if not connection.execute(known).rowcount:
                connection.execute(insert(person).values(**one._asdict()))

    def remove(self, name: str) -> None:
        """Remove a person."""
        with self._operations.begin() as connection:
            connection.execute(delete(person).where(person.c.name == name))

    def session(self, key: str) -> Session | None:
        """Return the session of that key."""
        with self._operations.reading() as connection:
            row = connection.execute(select(web_session).where(web_session.c.key == key)).first()
        return Session(*row) if row else None

    def put_session(self, session: Session) -> None:
        """Add a session, or note that it was seen."""
        with self._operations.begin() as connection:
            known = update(web_session).where(web_session.c.key == session.key).values(seen_ms=session.seen_ms)
            if not connection.execute(known).rowcount:
                connection.execute(insert(web_session).values(**session._asdict()))

    def end_session(self, key: str) -> None:
        """Remove a session."""
        with self._operations.begin() as connection:
            connection.execute(delete(web_session).where(web_session.c.key == key))

    def end_sessions(self, name: str) -> None:
        """Remove all sessions of a person."""
        with self._operations.begin() as connection:
            connection.execute(delete(web_session).where(web_session.c.person == name))

    def drop_sessions(self, seen_before_ms: int) -> None:
        """Remove the sessions that were not seen since."""
        with self._operations.begin() as connection:
            connection.execute(delete(web_session).where(web_session.c.seen_ms < seen_before_ms))
