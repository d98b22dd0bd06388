"""The virtual bench: boards without hardware, each one serial port that real esptool and real mpremote talk to.

A virtual board is a process and a directory (`python -m provisioning.virtual DIRECTORY`, see `board`):

    board.json     what was soldered: chip, flash size, MAC, sensors, and faults to try
    port           link to its serial port while it runs
    flash.bin      its flash; a blank one is made
    vfs/           the file system in the flash, as its MicroPython sees it

A reset cannot cross a pseudo-terminal, which has no control lines: the board enters its loader when a client
synchronises, as with the two transistors of a development board, and leaves it when that client closes the port.
"""
