"""Alerts: causes that people must know of, told once by every way, and once when they are over."""
