"""The partition table of a board: from the hardware catalogue, by the library that ESP-IDF's own tool became.

The catalogue says where each partition lies; `esp_idf_defs` checks it as ESP-IDF does and makes the bytes.
"""

from esp_idf_defs.partitions import PARTITION_TABLE_OFFSET, InputError, PartitionTable

from hardware.board import Board
from hardware.design import Design
from hardware.flash_budget import DAYS_NEEDED, budget
from provisioning.errors import BenchError

OFFSET = PARTITION_TABLE_OFFSET


def csv(board: Board) -> str:
    """Return the table as ESP-IDF's CSV."""
    rows = [f"{p.name},{p.type},{p.subtype},{p.offset:#x},{p.size:#x}," for p in board.partitions]
    return "\n".join(["# Name, Type, SubType, Offset, Size, Flags", *rows, ""])


def binary(board: Board) -> bytes:
    """Return the table as it lies in flash at OFFSET; BenchError when ESP-IDF would refuse it."""
    try:
        table = PartitionTable.from_csv(csv(board))
        table.verify()
        table.verify_size_fits(board.flash_bytes)
        return bytes(table.to_binary())
    except InputError as error:
        todo = f"mend hardware/boards/{board.name}.toml"
        raise BenchError(expected="a partition table that ESP-IDF takes", got=str(error), todo=todo) from error


def check_budget(design: Design) -> float:
    """Return the days of records that the outbox holds; BenchError when they are too few."""
    days = budget(design).days
    if days < DAYS_NEEDED:
        todo = "take a board with more flash, or fewer sensors"
        raise BenchError(expected=f"an outbox for {DAYS_NEEDED} days", got=f"{days:.1f} days", todo=todo)
    return days
