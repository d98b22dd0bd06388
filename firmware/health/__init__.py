"""How the node is: the health message, the watchdog's food, and the fixed commands. Imports `firmware.wire` only."""
