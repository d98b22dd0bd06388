"""What the page of a rollout offers and shows, for each state that a rollout can be in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from device_manager.rollouts import states
from device_manager.rollouts.model import Update
from device_manager.web.pages.rollouts import Finding, events, finding
from tests.device_manager.rollout_fleet import rollout


@pytest.mark.parametrize(
    ("state", "may"),
    [
        (states.DRAFT, ["abort"]),
        (states.WAITING, ["approve", "abort"]),
        (states.READY, ["abort"]),
        (states.RUNNING, ["pause", "abort"]),
        (states.PAUSED, ["resume", "abort"]),
        (states.FINISHED, []),
        (states.STOPPED, []),
    ],
)
def test_only_what_the_state_allows_is_offered(state: str, may: list[str]) -> None:
    assert events(replace(rollout(), state=state)) == may


def test_a_stage_is_approved_once_and_the_last_one_has_none_after_it() -> None:
    careful = rollout("2", "5", "all", approve_stages=True)
    assert "approve" in events(careful)
    assert "approve" not in events(replace(careful, approved=1))
    assert "approve" in events(replace(careful, approved=1, stage=1))
    assert "approve" not in events(replace(careful, approved=1, stage=2))


def test_a_rollout_that_takes_nodes_back_cannot_go_on() -> None:
    assert events(replace(rollout(), state=states.PAUSED, wants_back=True)) == ["abort"]


def test_a_finding_leads_to_its_node_when_it_names_one_of_the_rollout() -> None:
    found = replace(rollout(), updates={"n1": Update("n1", 0)})
    assert finding(found, "n1/air/pm2_5: rate unknown") == Finding("n1", "/air/pm2_5: rate unknown")
    assert finding(found, "n1: 2 whole hours") == Finding("n1", ": 2 whole hours")
    assert finding(found, "<b>/x: y") == Finding("", "<b>/x: y")
