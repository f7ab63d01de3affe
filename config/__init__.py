"""The foundation: settings, errors, the ledger's clockwork, the two dialects' grammar."""
