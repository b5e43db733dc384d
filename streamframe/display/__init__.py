"""How plans and runs look. Reads plans and stats, never calls back; a plan's repr does no I/O."""
