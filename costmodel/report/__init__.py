"""Renderers: an Analysis in, text out. Pure functions, one format a file."""
