"""`python -m device_manager.cli` is `citynode`, also where its script is not on PATH."""

from device_manager.cli import main

main()
