"""The register out of and into files: `citynode export`, `plan` and `apply`. Beside the composition roots.

A path is a directory of TOML, a directory of CSV (it has one of the tables as NAME.csv), or one of those CSV files.
What has no folder or file there stays as it is. Everything is read and checked before the first change; sites, nodes
and stays are changed in one step, then groups in another.
"""

from pathlib import Path

from device_manager.errors import UsageError
from device_manager.fleet import Fleet
from device_manager.registry import csv_files, records, toml_files
from device_manager.registry.planning import Plan, plan
from device_manager.registry.records import TABLES, Record, Snapshot
from device_manager.scopes import Scope

FORMATS = ("toml", "csv")


def held(fleet: Fleet) -> Snapshot:
    """Return what the register holds now."""
    registry = fleet.registry
    return records.of_register(registry.sites(), registry.nodes(), registry.deployments(), fleet.groups.groups())


def export(fleet: Fleet, directory: Path, form: str = "toml") -> list[str]:
    """Write all files of the register and remove those of what is no longer there; return the names written."""
    tables = records.tables(held(fleet))
    texts = (toml_files if form == "toml" else csv_files).texts(tables)
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
    if form == "toml":  # a folder that is there speaks for all of its kind, an empty one too
        for folder in toml_files.FOLDERS:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for name in set(toml_files.names(directory)) - set(texts):
            (directory / name).unlink()
    return sorted(texts)


def planned(fleet: Fleet, path: Path) -> Plan:
    """Return what would change; UsageError, and nothing changes, for files that cannot be."""
    found = read(path)
    now, wanted = held(fleet), records.snapshot(found)
    if "stays" not in found:  # nodes.csv alone says nothing of where they hang
        for name, node in wanted.nodes.items():
            wanted.nodes[name] = node._replace(stays=now.nodes[name].stays if name in now.nodes else ())
    records.check_names(wanted, now, found)
    return plan(now, wanted, remove_groups="groups" in found)


def apply(fleet: Fleet, path: Path, *, scope: Scope) -> Plan:
    """Make the register what the files say; return what was changed."""
    made = planned(fleet, path)
    fleet.registry.apply(made.changes, scope=scope)
    fleet.groups.apply(made.groups, made.removed_groups, scope=scope)
    return made


def read(path: Path) -> dict[str, list[Record]]:
    """Return the records of all tables that a path holds."""
    if path.is_file():
        if path.suffix != ".csv" or path.stem not in TABLES or path.stem == "stays":
            got = path.name
            raise UsageError(
                expected="sites.csv, nodes.csv or groups.csv", got=got, todo="rename it, or name a directory"
            )
        return {path.stem: list(csv_files.read(path, path.stem))}
    if any((path / f"{table}.csv").exists() for table in TABLES):
        return csv_files.records(path)
    if any((path / folder).is_dir() for folder in toml_files.FOLDERS):
        return toml_files.records(path)
    expected = "a directory with sites/, nodes/ or groups/, or with CSV files"
    raise UsageError(expected=expected, got=str(path), todo="make one with `citynode export`")
