"""The grammar of both APIs: base views, envelopes, readers, limits, OpenAPI."""
