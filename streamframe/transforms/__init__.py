"""Steps of a plan, one file for each idea."""
