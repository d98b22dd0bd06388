"""A rollout as JSON, without its updates, which are rows of their own; every document says its version."""

import json
from dataclasses import asdict, astuple
from typing import Any

from device_manager.errors import StoreError
from device_manager.rollouts.model import Condition, Judgement, Rollout, Rules, Stage, Update

VERSION = 1


def to_document(rollout: Rollout) -> str:
    """Return the rollout without updates."""
    fields = asdict(rollout)
    del fields["updates"]
    fields["stages"] = [[stage.text, list(astuple(stage.abort))] for stage in rollout.stages]
    fields["judgement"] = list(rollout.judgement) if rollout.judgement else None
    return json.dumps({"version": VERSION, **fields}, ensure_ascii=False)


def from_document(text: str, updates: dict[str, Update]) -> Rollout:
    """Return the rollout of a document; StoreError for one of a later version."""
    fields: dict[str, Any] = json.loads(text)
    version = fields.pop("version")
    if version != VERSION:
        todo = "use the citynode that wrote it"
        raise StoreError(expected=f"a rollout of version {VERSION}", got=f"version {version}", todo=todo)
    fields["stages"] = tuple(Stage(text, Condition(*abort)) for text, abort in fields["stages"])
    fields["rules"] = Rules(**fields["rules"])
    if fields["judgement"]:
        stage, at_ms, verdict, findings = fields["judgement"]
        fields["judgement"] = Judgement(stage, at_ms, verdict, tuple(findings))
    return Rollout(**fields, updates=updates)
