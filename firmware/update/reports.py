"""What the manager hears of an update: at once when the state is new, else now and then."""

from firmware.wire import const, messages

_SLOWLY_S = const(30)


class Reports:
    """Reports about release `number` in its `attempt`; both are set by whoever knows them."""

    def __init__(self, link, clock) -> None:
        self._link = link
        self._clock = clock
        self._state = ""
        self._at_s = 0
        self.number = self.attempt = 0

    def about(self, number: int, attempt: int) -> None:
        """From now on it is about this one."""
        self.number, self.attempt, self._state = number, attempt, ""

    def again(self) -> None:
        """The manager asks how it is going."""
        self._at_s -= _SLOWLY_S

    def say(self, state: str, reason: str = "", got: int = 0, total: int = 0) -> None:
        """Publish a report; the same state again only after a while."""
        now_s = self._clock.uptime_s()
        if self._state == state and now_s - self._at_s < _SLOWLY_S:
            return
        self._state, self._at_s = state, now_s
        fields: dict = {"state": state, "number": self.number}
        if reason:
            fields["reason"] = reason[:120]
        if total:
            fields["bytes"], fields["total"] = got, total
        if self.attempt:
            fields["attempt"] = self.attempt
        self._link.publish_latest("update", messages.encode("update", fields))
