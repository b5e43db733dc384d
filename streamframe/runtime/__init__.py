"""What a run is made of: the budget, the reader thread, the decode pool, the ordered channel."""
