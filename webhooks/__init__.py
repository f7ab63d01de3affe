"""Events in both directions: callbacks that come in, webhooks that go out."""
