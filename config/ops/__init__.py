"""What operators look at: health, service status, the admin's pages."""
