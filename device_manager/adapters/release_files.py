"""Releases in the data directory: `releases/objects/<sum>`, and a JSON file with signed messages for each number."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from device_manager.errors import UsageError
from device_manager.identities.files import make_private_directory, write_private
from device_manager.releases.shelf import Release

_SIGNED = ("payloads", "roots", "offers")


class Objects(Mapping[bytes, bytes]):
    """Objects by their sum, each a file that is never changed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __getitem__(self, sum_: bytes) -> bytes:
        try:
            return (self._directory / sum_.hex()).read_bytes()
        except FileNotFoundError:
            raise KeyError(sum_) from None

    def __contains__(self, sum_: object) -> bool:
        return isinstance(sum_, bytes) and (self._directory / sum_.hex()).exists()

    def __iter__(self) -> Iterator[bytes]:
        return (bytes.fromhex(path.name) for path in sorted(self._directory.glob("*[0-9a-f]")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FileShelf:
    """The `Shelf` port in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._objects = Objects(directory / "objects")

    @property
    def objects(self) -> Mapping[bytes, bytes]:
        """See `Shelf.objects`."""
        return self._objects

    def numbers(self) -> list[int]:
        """See `Shelf.numbers`."""
        return sorted(int(path.stem) for path in self._directory.glob("*.json") if path.stem.isdigit())

    def load(self, number: int) -> Release:
        """See `Shelf.load`."""
        try:
            document: dict[str, Any] = json.loads((self._directory / f"{number}.json").read_bytes())
        except FileNotFoundError:
            todo = "see `citynode release list`"
            raise UsageError(expected="the number of a release", got=str(number), todo=todo) from None
        for name in _SIGNED:
            document[name] = {family: bytes.fromhex(text) for family, text in document[name].items()}
        return Release(**document)

    def save(self, release: Release) -> None:
        """See `Shelf.save`."""
        make_private_directory(self._directory)
        document = dict(vars(release))
        for name in _SIGNED:
            document[name] = {family: content.hex() for family, content in document[name].items()}
        write_private(self._directory / f"{release.number}.json", json.dumps(document, indent=1).encode())

    def add_objects(self, objects: Mapping[bytes, bytes]) -> None:
        """See `Shelf.add_objects`."""
        folder = self._directory / "objects"
        make_private_directory(folder)
        for sum_, content in objects.items():
            if sum_ not in self._objects:
                write_private(folder / sum_.hex(), content)

    def save_sbom(self, number: int, text: str) -> None:
        """See `Shelf.save_sbom`."""
        make_private_directory(self._directory)
        write_private(self._directory / f"{number}.cdx", text.encode())

    def sbom(self, number: int) -> str:
        """See `Shelf.sbom`."""
        return (self._directory / f"{number}.cdx").read_text("utf-8")
