"""Chaos: the real processes under load while their parts are killed, frozen and lied to; then four ledgers
are compared. ``python -m bench.chaos --help``; what it promises is in docs/reliability.md."""
