"""`citynode store`: the database and what is derived from it."""

import os
import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, say
from device_manager.errors import UsageError

if TYPE_CHECKING:
    from device_manager.storekeeping import Backup

app = typer.Typer(help="Store: the database and what is derived.", no_args_is_help=True, rich_markup_mode=None)
VARIABLE = "CITYNODE_BACKUP_PASSPHRASE"


@app.callback()
def _group() -> None:
    return


@app.command()
def rebuild(
    processes: Annotated[int, typer.Option(min=1, help="Processes that make roll-ups.")] = 2,
    scheduler: Annotated[
        str | None, typer.Option(help="Instead of own processes: a Dask cluster, tcp://host:8786.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make everything derived anew from the frames; numbers that were given stay. The manager must not run."""
    from device_manager import app as services
    from device_manager import settings

    done = services.rebuild_series(settings.load(data or settings.default_directory()), processes, say, scheduler)
    if json:
        print_json(done._asdict())
        return
    print(f"{done.nodes} nodes in {done.seconds:.1f} s: {done.numbers} new numbers, {done.chunks} chunks changed")


@app.command()
def archive(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Move months of frames behind the window to the archive, and forget what is past its limit.

    The policy stands in retention.toml of the data directory. A copy is read back before anything leaves the database.
    """
    from device_manager import settings, storekeeping
    from device_manager.fleet import local

    found = settings.load(data or settings.default_directory())
    steps = storekeeping.archive(found, local(), say, dry_run=dry_run)
    if json:
        print_json([{"month": s.month, "move": s.move, "forget": sorted(s.forget)} for s in steps])
        return
    if dry_run:
        print("\n".join(map(str, steps)) or "nothing is due")
        return
    print(f"{len(steps)} months done")


@app.command()
def pack(data: Data = None, json: Json = False) -> None:
    """Build the indices of a store in PostgreSQL anew where they have room in them. The manager may run."""
    from device_manager import settings, storekeeping
    from device_manager.fleet import local

    done = storekeeping.pack(settings.load(data or settings.default_directory()), local(), say)
    if json:
        print_json([one._asdict() for one in done])
        return
    print(f"{len(done)} indices packed, {sum(one.before - one.after for one in done) / 1e6:.1f} MB given back")


@app.command()
def daily(data: Data = None, json: Json = False) -> None:
    """Do what is due once a day: pack a store in PostgreSQL, archive where there is a policy. The manager may run."""
    from device_manager import settings, storekeeping
    from device_manager.fleet import local

    packed, steps = storekeeping.daily(settings.load(data or settings.default_directory()), local(), say)
    if json:
        print_json({"packed": [one.name for one in packed], "archived": [step.month for step in steps]})
        return
    print(f"indices packed: {len(packed)}, months archived: {len(steps)}")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="File to write.")], data: Data = None, json: Json = False) -> None:
    """Write everything into one encrypted file: databases, identities, keys, settings. The manager may run.

    The passphrase is asked for, or comes from CITYNODE_BACKUP_PASSPHRASE. Archived months on other storage stay there.
    """
    from device_manager import settings, storekeeping
    from device_manager.fleet import local

    found = settings.load(data or settings.default_directory())
    _report(file, storekeeping.backup(found, file, _passphrase(twice=True), local()), "wrote", json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `citynode store backup` wrote.")],
    database: Annotated[
        str, typer.Option(help="postgresql://USER@HOST/DATABASE, an empty one, for a store that was on a server.")
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Unpack a backup into a new data directory, every file checked by its sum."""
    from device_manager import settings, storekeeping

    directory = (data or settings.default_directory()).absolute()
    _report(file, storekeeping.restore(file, directory, _passphrase(), database), f"restored to {directory}:", json)


@app.command()
def check(
    backup: Annotated[Path | None, typer.Option(help="Check this backup instead of the data directory.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Read databases, archive and every record, and say the first thing that is damaged."""
    from device_manager import settings, storekeeping

    if backup:
        _report(backup, storekeeping.check_backup(backup, _passphrase()), "whole:", json)
        return
    lines: list[str] = []
    storekeeping.check(settings.load(data or settings.default_directory()), lines.append)
    if json:
        print_json(lines)
        return
    print("\n".join(lines))


def _report(file: Path, made: "Backup", done: str, json: bool) -> None:
    if json:
        print_json({"file": str(file), "files": made.files, "bytes": made.data_bytes, "packed_bytes": made.size_bytes})
        return
    print(f"{done} {file}: {made.files} files, {made.data_bytes / 1e6:.1f} MB in {made.size_bytes / 1e6:.1f}")


def _passphrase(*, twice: bool = False) -> str:
    found = os.environ.get(VARIABLE) or (getpass("passphrase of the backup: ") if sys.stdin.isatty() else "")
    if twice and found and VARIABLE not in os.environ and getpass("again: ") != found:
        raise UsageError(expected="the same passphrase twice", got="two", todo="try again")
    if not found:
        raise UsageError(expected="the passphrase of the backup", got="none", todo=f"set {VARIABLE}")
    return found


@app.command()
def copy(
    url: Annotated[str, typer.Argument(help="postgresql://USER@HOST/DATABASE, an empty database.")],
    switch: Annotated[bool, typer.Option("--switch", help="Use it from now on: writes [store] url.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy everything from SQLite to PostgreSQL and compare row by row. The manager must not run."""
    from device_manager import copying, settings

    done = copying.copy(settings.load(data or settings.default_directory()), url, switch=switch)
    if json:
        print_json(done.rows)
        return
    for table, rows in done.rows.items():
        print(f"{rows:>10} {table}")
    print("the same in both" + ("; used from now on" if switch else "; set [store] url to use it"))
