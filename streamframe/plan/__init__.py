"""The plan: frozen nodes that point only at their inputs, and the facts they declare."""
