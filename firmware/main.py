"""Starts the app: `main.py` on the device, `micropython -m firmware.main` on a PC (see README.md)."""

import gc

# Compiling and connecting leave short-lived garbage. Collected early, it does not scatter what stays over the heap:
# without this line the imports alone fill 216 of 224 kB once, and a 4 kB buffer finds no place afterwards.
gc.threshold(4096)

from firmware.app import main  # noqa: E402 - the line above must come first

if __name__ == "__main__":
    main()
