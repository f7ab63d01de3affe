"""Everything this service knows about Meta's WhatsApp Cloud API; nothing else does."""
