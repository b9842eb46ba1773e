"""Evidence: one file that shows what happened to a message, to people who trust nobody."""
