"""Judge the golden vectors by contract.cddl with zcbor; runs in an environment of its own (zcbor needs cbor2 < 6).

`python judge_cddl.py contract.cddl vectors.json` prints a JSON list of [kind, name, accepted].
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import cbor2
from zcbor.zcbor import zcbor


def accepts(rule: zcbor.DataTranslator, payload: bytes) -> bool:
    """True when the payload is as the rule says; what zcbor prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return bool(rule.validate_str(payload))
    except (zcbor.CddlValidationError, cbor2.CBORDecodeError, ValueError):
        return False


def main(cddl: str, vectors: str) -> None:
    """Print the verdicts."""
    text = Path(cddl).read_text("utf-8") + zcbor.PRELUDE_PATH.read_text("utf-8")
    rules = zcbor.DataTranslator.from_cddl(cddl_string=text, default_max_qty=32).my_types
    groups = json.loads(Path(vectors).read_text("utf-8")).values()
    rows = [(v["kind"], v["name"], accepts(rules[v["kind"]], bytes.fromhex(v["hex"]))) for g in groups for v in g]
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
