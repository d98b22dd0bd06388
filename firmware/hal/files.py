"""Files that the node keeps itself (configuration, certificates, pointers): replaced as a whole or not at all."""

import os

_NEW = ".new"


def replace(path: str, data: bytes) -> None:
    """Have `data` in the file `path`; a power cut at any moment leaves the old content or the new.

    LittleFS commits a file when it is closed, and renames by one commit. What a cut leaves under the other name is
    written over next time.
    """
    with open(path + _NEW, "wb") as file:
        file.write(data)
    os.rename(path + _NEW, path)
