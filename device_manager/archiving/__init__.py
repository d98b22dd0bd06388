"""What becomes of old frames: the policy, which months are due, and what a privacy limit takes out of a frame.

policy     the choices of `retention.toml`
months     which months of frames leave the database, pure
blanking   a frame without the readings of some columns, pure

Frames older than the window move to one Parquet file a month, on disk or S3; readers find them there without knowing.
They leave the database only after the copy was read back and compared. Roll-ups and observation numbers stay.
"""
