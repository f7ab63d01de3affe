"""Events that go out: outbox, endpoints, delivery worker."""
