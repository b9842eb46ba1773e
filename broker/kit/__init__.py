"""The adapter kit: making, trying, proving and reading an adapter."""
