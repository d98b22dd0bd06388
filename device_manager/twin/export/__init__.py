"""Observations as files of other programs. Pure but for the files themselves.

table      rows -> an Arrow table with names, units and a GeoParquet geometry
files      Parquet, a folder a day, and CSV
citygml    Datastreams -> Dynamizers with SensorConnections (CityGML 3.0)
sumo       counts of people -> edgeData
"""
