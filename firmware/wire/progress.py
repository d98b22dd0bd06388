"""Words and sizes of an update, apart from `releases`, which says what they mean and which a node needs for moments."""

DOWNLOADING, VERIFIED, INSTALLING, REBOOTING = "downloading", "verified", "installing", "rebooting"
CONFIRMING, DEFERRED, SUCCEEDED = "confirming", "deferred", "succeeded"
ROLLED_BACK, FAILED, REJECTED = "rolled_back", "failed", "rejected"
ON_THE_WAY = (DOWNLOADING, VERIFIED, INSTALLING, REBOOTING, CONFIRMING)
ENDS = (SUCCEEDED, ROLLED_BACK, FAILED, REJECTED)
STATES = ON_THE_WAY + (DEFERRED,) + ENDS
CHUNK_BYTES = 2048
TREE_MAX_BYTES = 1 << 20
