"""The public site: guides, errors, events, the API explorer."""
