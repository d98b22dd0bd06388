"""Tests of citynode. `python3 -m tests` sets up everything they need and runs all of them."""
