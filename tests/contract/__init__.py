"""What every registered part has to keep, whatever it is."""
