"""The version of the SQL schema, apart from it: who only asks for the version need not load SQLAlchemy."""

SCHEMA_VERSION = 5
"""A change of the tables of `store_schema` raises it, and brings a migration and a sample of the old database."""
