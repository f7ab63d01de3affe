"""What Hermod is compared with: the typical gateway and three ceilings."""
