"""Shadow: what the manager knows of each node, a pure fold over what happened.

>>> from device_manager.ports import FramesStored, Rejected
>>> shadow = fold(Shadow("kempten-01"), FramesStored(1_760_000_000_000, 1, 150, 190, 1_760_000_000, 0))
>>> fold(shadow, Rejected(1_760_000_001_000, "not CBOR")).rejects
{'not CBOR': 1}

fold, documents   the fold, and its form in the store
holes, alerts     parts of it: what is missing since when; what somebody should look at
liveness          how a node is at a given time
"""

from device_manager.shadow.documents import JsonFold, from_document, glimpse, to_document
from device_manager.shadow.fold import Shadow, fold
from device_manager.shadow.liveness import Liveness, gaps, judge

__all__ = ["JsonFold", "Liveness", "Shadow", "fold", "from_document", "glimpse", "gaps", "judge", "to_document"]
