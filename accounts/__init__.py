"""Accounts, users, keys, agents and the numbers they connected: who somebody is."""
