"""Shapes of rows."""
