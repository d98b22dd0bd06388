"""`citynode release`: build, sign, look at and retire releases."""

import time
from pathlib import Path
from typing import Annotated

import typer

from device_manager.cli.output import Data, Json, print_json, print_rows
from device_manager.errors import UsageError
from device_manager.releases.service import Releases
from device_manager.releases.shelf import Release

app = typer.Typer(help="Releases that nodes can be updated to.", no_args_is_help=True, rich_markup_mode=None)
Number = Annotated[int, typer.Argument(min=1, help="Number of the release.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days until the offer expires.")]


@app.command()
def build(
    source: Annotated[Path | None, typer.Option(help="Directory with the package `firmware`.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Build for these only: xtensawin, rv32imc, x64.")] = None,
    notes: Annotated[str, typer.Option(help="What is new, in one line.")] = "",
    needs: Annotated[int, typer.Option(min=0, help="Lowest release from which it can be reached.")] = 0,
    image: Annotated[list[str] | None, typer.Option(help="FAMILY=FILE: MicroPython image that comes with it.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Build the next release for every family of chips, sign it, and offer it for 30 days.

    Without the key release-1.key on this machine it stays unsigned: see `to-sign` and `take-signed`.
    """
    from device_manager import updates
    from device_manager.adapters.firmware_build import firmware_root
    from device_manager.fleet import local
    from device_manager.releases.service import Wanted

    known = updates.families()
    chosen = family or sorted(known)
    if set(chosen) - set(known):
        raise UsageError(expected=f"families of {', '.join(sorted(known))}", got=", ".join(chosen), todo="correct it")
    boards = {name: known[name] for name in chosen}
    wanted = Wanted(source or firmware_root(), boards, notes, needs, _images(image or []))
    _say(_open(data).build(wanted, scope=local()), json)


@app.command()
def again(number: Number, notes: str = "", data: Data = None, json: Json = False) -> None:
    """Sign an old release under a new, higher number: the way back for a fleet."""
    from device_manager.fleet import local

    _say(_open(data).again(number, notes=notes, scope=local()), json)


@app.command()
def offer(number: Number, days: Days = 30, data: Data = None, json: Json = False) -> None:
    """Sign the offer of a release again, because it expires."""
    from device_manager.fleet import local

    _say(_open(data).offer(number, days=days, scope=local()), json)


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List all releases."""
    shelf = _open(data).shelf
    columns = ("number", "name", "families", "signed", "offered until", "retired", "notes")
    found = [shelf.load(number) for number in shelf.numbers()]
    rows = [(r.number, r.name, " ".join(r.families), r.signed, _until(r), r.retired or None, r.notes) for r in found]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, [(*row[:3], "yes" if row[3] else "no", *row[4:]) for row in rows])


@app.command()
def show(
    number: Number,
    sbom: Annotated[bool, typer.Option("--sbom", help="Print its bill of materials (CycloneDX 1.6).")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what a release is: boards, interpreter, tree, bytes."""
    from device_manager.releases.shelf import tree_of

    service = _open(data)
    release = service.shelf.load(number)
    if sbom:
        print(service.shelf.sbom(number), end="")
        return
    columns = ("family", "boards", "micropython", "needs", "tree", "files", "bytes", "image bytes")
    rows = []
    for family in release.families:
        root, files = release.root(family), tree_of(service.shelf, release, family).files()
        low, below = root["interpreter"]
        span = f"{low >> 8}.{low & 255} to below {below >> 8}.{below & 255}"
        size, image = sum(map(len, files.values())), root["image"][1] if root["image"] else None
        rows.append(
            (family, " ".join(root["boards"]), span, root["needs"], root["tree"].hex()[:16], len(files), size, image)
        )
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print(f"release {release.number} ({release.name}), {release.notes or 'no notes'}; built by {release.built_by}")
    print_rows(columns, rows)


@app.command()
def verify(number: Number, data: Data = None, json: Json = False) -> None:
    """Check signatures, offer and every sum of a release; exit code 1 when something is wrong."""
    from device_manager.releases.shelf import findings

    service = _open(data)
    rows = findings(service.shelf, service.shelf.load(number), service.keys.moduli(), time.time())
    columns = ("family", "what", "finding")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_rows(columns, [(family, what, wrong or "good") for family, what, wrong in rows])
    if any(wrong for _, _, wrong in rows):
        raise typer.Exit(1)


@app.command()
def diff(
    old: Number,
    new: Annotated[int, typer.Argument(min=1, help="Number of the other release.")],
    family: Annotated[str, typer.Option(help="For which chips.")] = "x64",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show which files differ between two releases, and what a node downloads to get from one to the other."""
    rows, size = _open(data).diff(old, new, family)
    columns = ("file", "change", "bytes before", "bytes after")
    if json:
        print_json({"download_bytes": size, "files": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print_rows(columns, rows)
    print(f"{len(rows)} files differ; a node downloads {size} bytes")


@app.command()
def retire(number: Number, why: Annotated[str, typer.Option(help="The reason.")] = "", data: Data = None) -> None:
    """Offer a release to nobody any more; nodes that run it go on."""
    from device_manager.fleet import local

    print(f"release {_open(data).retire(number, why, scope=local()).number} is retired")


@app.command("who-has")
def who_has(
    component: Annotated[str, typer.Argument(help="COMPONENT or COMPONENT@VERSION, as in the bill of materials.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Show which releases hold a component, and which nodes run them."""
    from device_manager import settings
    from device_manager.fleet import open_fleet
    from device_manager.overview import shadow_of

    with open_fleet(settings.load(data or settings.default_directory())) as fleet:
        running = [(view.name, shadow_of(view).release) for view in fleet.registry.nodes()]
    rows = _open(data).who_has(component, running)
    columns = ("release", "component", "version", "nodes")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_rows(columns, [(number, name, version, " ".join(nodes) or None) for number, name, version, nodes in rows])


@app.command("to-sign")
def to_sign(
    number: Number,
    folder: Annotated[Path, typer.Option("-o", help="Where the files go.")] = Path(),
    days: Days = 30,
    data: Data = None,
) -> None:
    """Write what must be signed on another machine: roots that are not signed, and offers."""
    for name, payload in _open(data).to_sign(number, days).items():
        (folder / name).write_bytes(payload)
        print(f"wrote {folder / name}; sign it with `citynode key sign`")


@app.command("take-signed")
def take_signed(files: Annotated[list[Path], typer.Argument(help="What was signed.")], data: Data = None) -> None:
    """Take in roots and offers that were signed on another machine."""
    from device_manager.fleet import local

    service = _open(data)
    for path in files:
        print(f"{path}: {service.take_signed(path.read_bytes(), scope=local())}")


@app.command("sbom")
def sbom_(data: Data = None) -> None:
    """Print the bill of materials of the manager itself (CycloneDX 1.6)."""
    from device_manager.releases import sbom

    print(sbom.of_manager(), end="")


def _open(data: Path | None) -> Releases:
    from device_manager import settings, updates

    return updates.open_releases(settings.load(data or settings.default_directory()))


def _images(options: list[str]) -> dict[str, bytes]:
    found = {}
    for option in options:
        family, _, path = option.partition("=")
        if not path:
            raise UsageError(expected="FAMILY=FILE", got=option, todo="see `citynode release build --help`")
        found[family] = Path(path).read_bytes()
    return found


def _say(release: Release, json: bool) -> None:
    to_do = "not signed, see `citynode release to-sign`"
    signed = f"signed, offered until {_until(release)}" if release.signed else to_do
    if json:
        print_json({"number": release.number, "name": release.name, "signed": release.signed})
        return
    print(f"release {release.number} ({release.name}) for {', '.join(release.families)}: {signed}")


def _until(release: Release) -> str | None:
    ends = [release.expires_s(family) for family in release.families]
    known = [end for end in ends if end is not None]
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(known))) if known else None
