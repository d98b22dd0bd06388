"""`python -m provisioning.virtual DIRECTORY MICROPYTHON FIRMWARE`: run one virtual board."""

import signal
import sys
from pathlib import Path

from provisioning.virtual.board import Board


def main(arguments: list[str]) -> None:
    """Run until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    directory, micropython, firmware = map(Path, arguments)
    board = Board(directory, micropython, firmware)
    try:
        board.run()
    finally:
        board.close()


if __name__ == "__main__":
    main(sys.argv[1:])
