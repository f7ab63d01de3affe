"""The web process: which server runs it, and how a request comes in before anybody works for it."""
