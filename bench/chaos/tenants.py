"""Makes the run's customers in the product's database (a process of its own); prints them as JSON."""

from __future__ import annotations

import json
import os
import sys


def make(count: int, receiver_url: str) -> list[dict[str, str]]:
    """Register ``count`` customers, each with a number of the sandbox, its templates and an endpoint."""
    from accounts import keys
    from accounts.connections import Proof, save_credentials
    from accounts.models import ApiKey
    from accounts.registration import register
    from core.secret import Secret
    from devstack.meta import seed
    from messaging.message_templates import store as template_store
    from webhooks.outgoing import endpoints

    made = []
    for index in range(1, count + 1):
        given = seed.number(index)
        account = register(
            name=given.verified_name, email=f"chaos{index}@example.com", plan="enterprise"
        ).account
        connection = save_credentials(
            account,
            access_token=Secret(given.access_token),
            phone_number_id=given.phone_number_id,
            waba_id=given.waba_id,
            app_secret=Secret(seed.APP_SECRET),
            proof=Proof(number=True, waba_id=given.waba_id, again=False),
        )
        template_store.sync(connection)
        endpoints.create(account, endpoints.Given(url=receiver_url))
        key, secret = keys.issue(account, name="Chaos")
        ApiKey.objects.filter(pk=key.pk).update(rate_limit_per_minute=10_000_000)
        made.append(
            {"account": str(account.pk), "key": secret.reveal(), "phone_number_id": given.phone_number_id}
        )
    return made


def main() -> int:
    """Run inside the product's environment."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.stdout.write(json.dumps(make(int(sys.argv[1]), sys.argv[2])) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
