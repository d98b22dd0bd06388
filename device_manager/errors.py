"""Errors that a person meets: one line that says what was expected, what came, and what to do.

The class says who is at fault. The command line prints the line and nothing else, and leaves with the class's exit
code: 2 when the call or the setting up is wrong (nothing was done yet), 1 when something failed while it ran.

>>> print(UsageError(expected="a node that is registered", got="'kempten-99'", todo="see `citynode node list`"))
expected a node that is registered, got 'kempten-99'; see `citynode node list`
"""


class CitynodeError(Exception):
    """Base of all errors meant for a person; `expected`, `got` and `todo` are texts without a full stop."""

    exit_code = 1

    def __init__(self, *, expected: str, got: str, todo: str) -> None:
        self.expected = _one_line(expected)
        self.got = _one_line(got)
        self.todo = _one_line(todo)
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.got}; {self.todo}"


class UsageError(CitynodeError):
    """The caller's fault: an argument or a name that does not fit."""

    exit_code = 2


class SetupError(CitynodeError):
    """This machine's or this data directory's fault: something is not installed, not initialised, or not allowed."""

    exit_code = 2


class BrokerError(CitynodeError):
    """The broker's fault: it does not start, does not answer, or lets in somebody it must refuse."""


class NodeError(CitynodeError):
    """A node's fault: what it sent or did is not what the contract says."""


class StoreError(CitynodeError):
    """The store's fault: the database cannot be opened, read or written."""


def _one_line(text: str) -> str:
    return " ".join(text.split())
