"""The hardware catalogue: files that say what they may, designs that work, refusals that say what to do."""
