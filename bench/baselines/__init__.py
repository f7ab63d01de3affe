"""Baselines: the typical gateway and three ceilings, with which Hermod is compared."""
