"""Looks at everything that a site needs, and says what to do where something is missing."""
