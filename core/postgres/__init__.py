"""Our database backend: Django's for Postgres, but a look at an idle connection costs no round trip."""
