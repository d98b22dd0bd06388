"""A fleet at a glance: what a list of nodes shows, read with nothing but the standard library.

Loading SQLAlchemy takes longer than reading ten thousand nodes. Everything unusual (a server's database, an older
schema, a file that is missing or damaged) is left to `store_reader`, which knows what to do or to say.
"""

import sqlite3
from contextlib import closing

from device_manager.adapters.store_version import SCHEMA_VERSION
from device_manager.database import Database, ServerDatabase
from device_manager.ports import NodeRow

_NODES = """
SELECT node.name, site.name, site.title, node.admission, shadow.document
FROM node
LEFT JOIN deployment ON deployment.id = (
    SELECT id FROM deployment WHERE node_id = node.id AND until_s IS NULL ORDER BY since_s DESC LIMIT 1)
LEFT JOIN site ON site.id = deployment.site_id
LEFT JOIN shadow ON shadow.node_id = node.id
ORDER BY node.name
"""


def glance(database: Database) -> list[NodeRow] | None:
    """Return all nodes by name, None where it takes more than a glance."""
    if isinstance(database, ServerDatabase) or not database.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("SELECT version FROM schema_version").fetchone() != (SCHEMA_VERSION,):
                return None
            return [NodeRow(*row) for row in connection.execute(_NODES)]
    except sqlite3.Error:
        return None
