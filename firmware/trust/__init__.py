"""Trust: orders that count only with a signature, and settings that are tried before they are kept.

desk     takes a signed order and says what must happen
trial    other settings: tried at the next start, kept when the manager answers, else taken back
files    small files, replaced in one step
"""
