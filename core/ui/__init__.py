"""Parts of every page for people: forms, charts, template tags, texts."""
