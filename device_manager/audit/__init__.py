"""The audit log: who did what to what, when, and what it was before and after. Append-only.

    audit = Audit(log, clock)
    audit.record(scope, "node.admit", "kempten-01", before={"admission": "pending"}, after={"admission": "accepted"})

`action` is the service and its verb, `subject` the name of what was changed; `before` and `after` are plain objects
that JSON can hold, never a secret. A service records after it has done what it says, in the same call.
"""

from device_manager.audit.log import Audit, AuditLog, Entry

__all__ = ["Audit", "AuditLog", "Entry"]
