"""Who somebody is: accounts, users, keys, agents and the numbers they connected."""
