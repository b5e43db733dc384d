"""Databases: what a user gives as a connection, rows from it, and rows into it."""
