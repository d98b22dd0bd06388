"""Counting people, pure: ranges or radar targets in, two growing totals out. No bus, no clock, no memory that grows.

zone     one field of view of a time-of-flight sensor: ranges -> passages, each with its beginning and end
path     two zones -> full crossings in and out
tracks   radar targets -> tracks of persons
line     tracks -> full crossings of a line on the ground

Only full crossings count. Totals are never set back and never clamped, so that a drift of IN minus OUT can be seen.
"""
