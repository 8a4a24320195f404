"""Readers of models that others wrote: one a format, loaded only when such a model is given."""
