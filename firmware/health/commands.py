"""The fixed table of commands; there is no remote REPL.

    health       publish a health message now
    identify     blink the LED for ten seconds
    log          answer with the newest lines of the log
    maintenance  flag what is measured for "minutes" (at most a day): a technician works at the node; 0 ends it
    reboot       restart, after the reply is out
    self-test    answer with what every sensor says

Every command is answered once it is understood: ok, or a reason. A command that comes twice (MQTT delivers at least
once) is answered again and not done again; one that has expired is not done. What only looks is done again.
"""

REMEMBERED = 8
MAINTENANCE_MAX_MINUTES = 24 * 60


class Commands:
    """Two tables: `actions`, name -> function(arguments) that returns '' or the reason why it cannot be done, and
    `looks`, name -> function(arguments) that returns lines for the reply."""

    def __init__(self, clock, actions: dict, looks: dict) -> None:
        self._clock = clock
        self._actions = actions
        self._looks = looks
        self._done: list = []

    def handle(self, command: dict) -> dict:
        """Do a decoded command and return the fields of its reply."""
        reason = self._judge(command)
        reply = {"command": command["id"], "ok": not reason, "reason": reason}
        if not reason and command["name"] in self._looks:
            reply["lines"] = self._looks[command["name"]](command["arguments"])
        return reply

    def _judge(self, command: dict) -> str:
        name = command["name"]
        if name not in self._actions and name not in self._looks:
            return "unknown command: %s" % name[:50]
        now_s = self._clock.unix_s()
        if now_s is not None and now_s > command["expires"]:
            return "expired at %d, now it is %d" % (command["expires"], now_s)
        if command["id"] in self._done or name in self._looks:
            return ""
        self._done.append(command["id"])
        if len(self._done) > REMEMBERED:
            self._done.pop(0)
        return self._actions[name](command["arguments"])


class Maintenance:
    """Whether a technician works at the node. It ends by itself, so that a forgotten one costs no more than a day."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self._until_s = 0

    @property
    def on(self) -> bool:
        return self._clock.uptime_s() < self._until_s

    def set(self, arguments: dict) -> str:
        """The command: "minutes" from now, 0 ends it; '' or what is wrong with it."""
        minutes = arguments.get("minutes")
        if not isinstance(minutes, int) or not 0 <= minutes <= MAINTENANCE_MAX_MINUTES:
            return "expected minutes from 0 to %d, got %s" % (MAINTENANCE_MAX_MINUTES, minutes)
        self._until_s = self._clock.uptime_s() + 60 * minutes
        return ""
