"""Small checks that every decoder of the contract shares."""


def is_uint(value: object, bits: int = 64) -> bool:
    """True for an integer (never a bool) in 0..2**bits-1."""
    return isinstance(value, int) and value is not True and value is not False and 0 <= value and not value >> bits


def are_uints(value: object, size: int) -> bool:
    """True for a list or tuple of `size` unsigned integers."""
    return isinstance(value, (list, tuple)) and len(value) == size and all(is_uint(item) for item in value)


def shape(value: object) -> str:
    """Name a hostile value briefly for an error, whatever its size."""
    if isinstance(value, (list, tuple, dict, str, bytes)):
        return "%s of %d" % (type(value).__name__, len(value))
    if isinstance(value, int) and not -(1 << 64) < value < 1 << 64:
        return "a huge integer"
    return repr(value)[:40]
