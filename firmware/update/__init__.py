"""The node's side of an update: from a signed offer to code that has proved itself, or back.

plan      may this release be installed here, and by which steps. Pure; judging asks it
fetch     which pieces to ask for next, and which to keep. Pure; download does it
unpack    a bundle and the running slot become the other slot, every file checked
slots     the markers that boot.py obeys; running: what runs now
proof     has the release on trial proved itself. Pure; trial: what follows the restart
image     MicroPython itself, into the other OTA partition
follow    carries an offer out, by these; reports: what the manager hears

`firmware.updating` puts them together for the app; what the words mean is in `firmware.wire.releases`. Files of the
node beside the markers:

    update.offer   the offer that is followed, so that a reset goes on with it; gone when it is decided
    update.part    the bundle as far as it is there
    update.good    names of the channels that had a reading before
    update.image   how far the image is; image.now: sum of the one that runs
    image.try      label of the partition whose image is on trial, until it is kept or known to be gone
"""

from collections import namedtuple

OFFER, PART, GOOD = "update.offer", "update.part", "update.good"
IMAGE_PLACE, IMAGE_NOW, IMAGE_TRY = "update.image", "image.now", "image.try"


class UpdateError(Exception):
    """The update cannot go on; the text is the reason that the manager gets."""


Node = namedtuple(
    "Node",
    (
        "settings",  # the checked node.json: board, trial_s
        "clock",  # ticks_ms, ticks_diff, uptime_s, unix_s, floor_s
        "link",  # publish_latest, connected, committed
        "readings",  # function: names of the channels that have a plausible reading now
        "frame_is_in",  # function: has the first frame of this boot been committed
        "busy",  # function: '' or why now is no time for an update
        "forget_starts",  # function: forget how often a trial was started
        "reboot",  # function(why): restart soon
        "stall",  # function(on): the chip stands still now and then
        "replace",  # function(path, data): write a file in one step
        "keys",  # function: yields the moduli of the keys that may sign releases
        "ota",  # module firmware.hal.ota, loaded when it is asked for: function
    ),
)
"""What an update needs of the node."""
