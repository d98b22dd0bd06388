"""The bench: from a bare board to an accepted node. Nothing is built here yet; README.md says what will be."""
