"""Ingest: bytes -> record -> store, each record exactly once; what cannot be used is kept with its reason.

handover    bounded queue between the broker's thread and ours
admit       pure: is this message what the contract says?
watermark   pure: which numbers of a log are committed
known       what a batch asks of the store, looked up together
step        decides one batch: records, duplicates, refusals
rejects, telling   the refusals of a batch, and what it tells the shadows
commit      one transaction of the store around a step
service     the loop: take, commit, then acknowledge and publish watermarks
"""
