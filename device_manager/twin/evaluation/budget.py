"""How much one request may read. Counted in observations, so that the limit is the same on every machine."""

from device_manager.twin.query.syntax import Unsupported

MOST_READ = 2_000_000
SITE_COST = 4000  # what opening one site for one stretch of time costs, in observations


class Budget:
    """Counts down; whoever asks for more is told to narrow the question."""

    def __init__(self, left: int = MOST_READ) -> None:
        self.limit = left
        self.left = left

    def charge(self, observations: int) -> None:
        """Take some; Unsupported when there are not that many left."""
        self.left -= observations
        if self.left < 0:
            raise Unsupported(
                f"this would read more than {self.limit} observations: "
                "narrow it by phenomenonTime or id, or leave out $count, $skip and other orders"
            )
