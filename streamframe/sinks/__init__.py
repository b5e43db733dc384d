"""Where batches end, one file for each kind."""
