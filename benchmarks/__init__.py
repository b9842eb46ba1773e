"""The product against the limits of its parts, measured side by side in one run."""
