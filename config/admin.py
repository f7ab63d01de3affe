"""Admin pages that show several apps side by side, and signing in to them; Django looks for them here."""

from config.ops import admin_accounts, admin_site

__all__ = ["admin_accounts", "admin_site"]
