"""`$resultFormat=CSV`: a column a field; what is JSON within an entity is taken apart, `properties/site` a column."""

import csv
import io
from collections.abc import Iterable
from typing import Any

import orjson


def written(items: Iterable[dict[str, Any]]) -> bytes:
    """Return entities as RFC 4180 text, in UTF-8, with a head of names."""
    flat = [_flat(item) for item in items]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([row.get(name) for name in names] for row in flat)
    return text.getvalue().encode()


def _flat(item: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in item.items():
        if name.endswith(("@iot.navigationLink", "@iot.selfLink", "@iot.nextLink")):
            continue
        plain = orjson.loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else value
        if isinstance(plain, dict):
            row |= {f"{name}/{inner}": _cell(found) for inner, found in plain.items()}
        else:
            row[name.removeprefix("@iot.")] = _cell(plain)
    return row


def _cell(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value
