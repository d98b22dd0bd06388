"""What a technician meets at the bench: one line that says what was expected, what came, and what to do."""

from device_manager.errors import CitynodeError


class BenchError(CitynodeError):
    """The bench's fault: cable, port, board, image or broker; `expected`, `got`, `todo` as for all errors."""
