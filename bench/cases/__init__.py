"""The measurements of the P-table, one file for each subject."""
