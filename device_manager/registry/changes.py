"""What can change in the register, as data. A store writes a list of changes as one step: all of them, or none.

Sites, nodes and what hung where are never removed: readings belong to them for ever.
"""

from typing import NamedTuple

from device_manager.ports import Site


class AddSite(NamedTuple):
    """A new site; its `site_id` is not looked at."""

    site: Site


class ChangeSite(NamedTuple):
    """The site of that name gets these attributes; its `site_id` is not looked at."""

    site: Site


class AddNode(NamedTuple):
    """A new node, which hangs nowhere yet."""

    name: str
    admission: str
    added_ms: int
    tags: tuple[str, ...] = ()


class ChangeNode(NamedTuple):
    """The node of that name gets this admission and these tags."""

    name: str
    admission: str
    tags: tuple[str, ...]


class Hang(NamedTuple):
    """The node hangs at the site from `since_s`, where its present deployment ends, until `until_s` (None: still)."""

    node: str
    site: str
    since_s: int
    until_s: int | None = None


class TakeDown(NamedTuple):
    """The node hangs nowhere from `until_s` on."""

    node: str
    until_s: int


Change = AddSite | ChangeSite | AddNode | ChangeNode | Hang | TakeDown
