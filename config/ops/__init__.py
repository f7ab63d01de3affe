"""Operators' views: health, service status, the admin's pages."""
