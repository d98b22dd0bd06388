"""The two state machines, as tables: of a rollout, and of one node's update in it. What is in no table changes nothing.

A rollout: `halt` is what the planner does by itself; `paused` with a number to go back to takes updated nodes back.

    draft -> waiting_for_approval -> ready -> running <-> paused -> stopped
                                              running -> finished

An update: words of the node (`firmware.wire.releases`) and what the manager sees by itself:

    proven      the node says succeeded, and it says that it runs the number
    unproven    it says succeeded and runs another number: nothing is believed, and the time limit goes on
    overdue     it began, by word or by being connected after the offer, and has not ended within the time limit
    reverted    it was proven, and runs another number now
    crashed     it was proven, and crashes
    silent      it was proven, and is not heard any more, while others are
    left        it is none of the rollout's nodes any more; cancelled: the rollout was stopped
"""

from firmware.wire import releases as wire

DRAFT, WAITING, READY = "draft", "waiting_for_approval", "ready"
RUNNING, PAUSED, FINISHED, STOPPED = "running", "paused", "finished", "stopped"

ROLLOUT = {
    (DRAFT, "start"): RUNNING,
    (DRAFT, "ask"): WAITING,
    (DRAFT, "abort"): STOPPED,
    (WAITING, "approve"): READY,
    (WAITING, "abort"): STOPPED,
    (READY, "start"): RUNNING,
    (READY, "abort"): STOPPED,
    (RUNNING, "pause"): PAUSED,
    (RUNNING, "halt"): PAUSED,
    (RUNNING, "approve"): RUNNING,
    (RUNNING, "retry"): RUNNING,
    (RUNNING, "rollback"): PAUSED,
    (RUNNING, "finish"): FINISHED,
    (RUNNING, "abort"): STOPPED,
    (PAUSED, "resume"): RUNNING,
    (PAUSED, "approve"): PAUSED,
    (PAUSED, "retry"): PAUSED,
    (PAUSED, "rollback"): PAUSED,
    (PAUSED, "abort"): STOPPED,
    (FINISHED, "rollback"): PAUSED,
}
"""(state, what happens) -> state after."""

BY_ITSELF = ("ask", "halt", "finish")
"""What no person can do: a rollout asks for approval when it is made, the planner does the rest."""

QUEUED, TIMED_OUT, CANCELLED, SKIPPED = "queued", "timed_out", "cancelled", "skipped"
ON_THE_WAY = (wire.DOWNLOADING, wire.VERIFIED, wire.INSTALLING, wire.REBOOTING, wire.CONFIRMING)
BAD = (wire.FAILED, wire.ROLLED_BACK, wire.REJECTED, TIMED_OUT)
"""Ends that count against a release."""

ENDED = (wire.SUCCEEDED, *BAD)
"""Ends that tell something about a release: the sample of every condition."""

UPDATE_STATES = (QUEUED, *ON_THE_WAY, wire.DEFERRED, *ENDED, CANCELLED, SKIPPED)
_OPEN = (QUEUED, *ON_THE_WAY, wire.DEFERRED)

UPDATE = {
    **{(state, word): word for state in (*_OPEN, TIMED_OUT) for word in (*ON_THE_WAY, wire.DEFERRED)},
    **{(state, word): word for state in (*_OPEN, TIMED_OUT) for word in (wire.FAILED, wire.ROLLED_BACK, wire.REJECTED)},
    **{(state, "proven"): wire.SUCCEEDED for state in (*_OPEN, TIMED_OUT)},
    **{(state, "unproven"): wire.CONFIRMING for state in _OPEN},
    **{(state, "overdue"): TIMED_OUT for state in (QUEUED, *ON_THE_WAY)},
    **{(state, event): CANCELLED for state in _OPEN for event in ("left", "cancelled")},
    **{(state, "retry"): QUEUED for state in (*BAD, CANCELLED)},
    (QUEUED, "already"): SKIPPED,
    (QUEUED, "quarantined"): SKIPPED,
    (SKIPPED, "retry"): QUEUED,
    (wire.SUCCEEDED, "reverted"): wire.ROLLED_BACK,
    (wire.SUCCEEDED, wire.ROLLED_BACK): wire.ROLLED_BACK,
    (wire.SUCCEEDED, "crashed"): wire.FAILED,
    (wire.SUCCEEDED, "silent"): wire.FAILED,
}
"""(state, what is heard or seen) -> state after. A node that timed out may still be heard: its end then is its own."""
for _word in (*ON_THE_WAY, wire.DEFERRED):  # on the way again after the time limit is no news: only an end is
    del UPDATE[TIMED_OUT, _word]
