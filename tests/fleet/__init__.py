"""The whole system, end to end: real firmware, a real broker, a real manager, and things that go wrong."""
