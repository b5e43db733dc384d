"""Move facts down to where they save work: columns, predicates and limits into the scan."""
