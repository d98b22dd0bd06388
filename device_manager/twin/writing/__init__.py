"""Answers as bytes: JSON, dataArray, CSV, GeoJSON. Observations are written in bulk; what many share is written once.

entities      entities and observations as dicts, with links
data_array    observations as rows, by Datastream
csv_text      a table, a column a field
geojson       features
"""
