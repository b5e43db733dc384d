"""Bytes from anywhere, bytes to anywhere; no threads of our own."""
