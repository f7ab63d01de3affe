"""The admin pages that show several apps side by side; Django looks for them here."""

from config.ops import admin_accounts

__all__ = ["admin_accounts"]
