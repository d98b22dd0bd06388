"""Serial ports with a board behind them: on USB, and of the virtual bench."""

from pathlib import Path

from serial.tools import list_ports

# USB vendors of boards: Espressif, Silicon Labs (CP210x), WCH (CH34x), FTDI.
VENDORS = (0x303A, 0x10C4, 0x1A86, 0x0403)


def find(directory: Path) -> list[str]:
    """Return the ports of boards that are plugged in, and of virtual ones that run for a data directory."""
    real = sorted(port.device for port in list_ports.comports() if port.vid in VENDORS)
    virtual = sorted(directory.glob("bench/board-*/port"), key=lambda path: (len(str(path)), path))
    return real + [str(path) for path in virtual if path.exists()]


def is_virtual(port: str) -> bool:
    """True for a pseudo-terminal, behind which no real board can be."""
    return str(Path(port).resolve()).startswith(("/dev/pts/", "/dev/ttys"))
