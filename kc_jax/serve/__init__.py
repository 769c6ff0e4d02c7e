"""A bundle behind HTTP: an upload page, an API, health and metrics."""
