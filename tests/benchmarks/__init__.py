"""Benchmarks: `python -m tests.benchmarks [NAME ...] [--short] [--json]` prints one row a figure.

A benchmark is a module of this package with `run(short: bool) -> list[Row]`; its name is the module's. Rows that take
long have a short form, which the row names.
"""
