"""Bytes to batches and back: one room for each file format. No threads here."""
