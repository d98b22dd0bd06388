"""The fixed table of commands; there is no remote REPL.

    health    publish a health message now
    identify  blink the LED for ten seconds
    reboot    restart, after the reply is out

Every command is answered once it is understood: ok, or a reason. A command that comes twice (MQTT delivers at least
once) is answered again and not done again; one that has expired is not done.
"""

REMEMBERED = 8


class Commands:
    """`actions` is the table: name -> function(arguments) that returns '' or the reason why it cannot be done."""

    def __init__(self, clock, actions: dict) -> None:
        self._clock = clock
        self._actions = actions
        self._done: list = []

    def handle(self, command: dict) -> dict:
        """Do a decoded command and return the fields of its reply."""
        reason = self._judge(command)
        return {"command": command["id"], "ok": not reason, "reason": reason}

    def _judge(self, command: dict) -> str:
        name = command["name"]
        if name not in self._actions:
            return "unknown command: %s" % name[:50]
        now_s = self._clock.unix_s()
        if now_s is not None and now_s > command["expires"]:
            return "expired at %d, now it is %d" % (command["expires"], now_s)
        if command["id"] in self._done:
            return ""
        self._done.append(command["id"])
        if len(self._done) > REMEMBERED:
            self._done.pop(0)
        return self._actions[name](command["arguments"])
