"""Reading back: lists, figures, exports."""
