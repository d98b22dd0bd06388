"""The rules of the house as tests and checks."""
