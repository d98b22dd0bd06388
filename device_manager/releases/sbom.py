"""Bills of materials as CycloneDX 1.6 JSON: of a release's firmware, and of the manager that runs.

The same content gives the same text: serial number and order come from it, and no time is written.
"""

import importlib.metadata
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from hashlib import sha256

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from device_manager.releases.shelf import Release
from device_manager.releases.tree import Tree

_LICENCE = "Apache-2.0"


def of_firmware(release: Release, trees: Mapping[str, Tree]) -> str:
    """Return the bill of a release: the app, its modules for each family with their sums, interpreter, compiler."""
    head = _component("citynode-firmware", release.name, ComponentType.FIRMWARE, licence=_LICENCE)
    low, below = release.root(release.families[0])["interpreter"]
    span = f"{low >> 8}.{low & 255} to below {below >> 8}.{below & 255}"
    parts = [_component("micropython", span, ComponentType.PLATFORM, licence="MIT")]
    name, _, version = release.built_by.partition(" ")
    parts.append(_component(name, version, ComponentType.APPLICATION, licence="MIT", pypi=True))
    for family, tree in sorted(trees.items()):
        for path, content in sorted(tree.files().items()):
            module = "firmware." + path.removesuffix(".mpy").replace("/", ".").removesuffix(".__init__")
            sum_ = sha256(content).hexdigest()
            parts.append(_component(module, release.name, ComponentType.FILE, sum_=sum_, ref=f"{family}:{module}"))
    return _text(head, parts)


def of_manager(distribution: str = "citynode") -> str:
    """Return the bill of this installation: every Python distribution that the manager needs, with its version."""
    head = _component(distribution, importlib.metadata.version(distribution), ComponentType.APPLICATION)
    found = _needed(distribution)
    parts = [
        _component(name, importlib.metadata.version(name), ComponentType.LIBRARY, pypi=True) for name in sorted(found)
    ]
    return _text(head, parts)


def components(text: str) -> list[tuple[str, str]]:
    """Return (name, version) of what a bill lists, each once."""
    document = json.loads(text)
    rows = [document["metadata"]["component"], *document.get("components", [])]
    return sorted({(row["name"], row.get("version", "")) for row in rows})


def _component(
    name: str,
    version: str,
    kind: ComponentType,
    *,
    licence: str = "",
    sum_: str = "",
    ref: str = "",
    pypi: bool = False,
) -> Component:
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=ref or f"{name}@{version}",
        licenses=[DisjunctiveLicense(id=licence)] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sum_)] if sum_ else [],
        purl=PackageURL("pypi", None, name, version) if pypi else None,
    )


def _text(head: Component, parts: Iterable[Component]) -> str:
    known = list(parts)
    bom = Bom(components=known)
    bom.metadata.component = head
    bom.register_dependency(head, known)
    bom.serial_number = uuid.UUID(int=0)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"].pop("timestamp", None)
    document.pop("serialNumber", None)
    digest = sha256(json.dumps(document, sort_keys=True).encode()).digest()
    document["serialNumber"] = f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=5)}"
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _needed(distribution: str) -> set[str]:
    """Return the names of all installed distributions that one needs, without its extras."""
    found: set[str] = set()
    waiting = [distribution]
    while waiting:
        for requirement in importlib.metadata.requires(waiting.pop()) or []:
            name = re.split(r"[ ;<>=!~\[(]", requirement, maxsplit=1)[0].lower().replace("_", "-")
            if "extra ==" not in requirement and name not in found and _is_installed(name):
                found.add(name)
                waiting.append(name)
    return found


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
