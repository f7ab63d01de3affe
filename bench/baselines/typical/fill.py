"""Queues a number of messages in the typical gateway: ``python -m bench.baselines.typical.fill 1000``."""

import os
import sys

import django


def main() -> None:
    """Insert the rows at once, then one task for each."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.baselines.typical.settings"
    django.setup()
    from bench.baselines.typical.models import ApiKey, Message
    from bench.baselines.typical.tasks import send_message

    key = ApiKey.objects.get()
    rows = Message.objects.bulk_create(
        Message(api_key=key, phone_number_id=f"70000000000{n % 10}", to=f"1415{n:07d}", body="Hello, World!")
        for n in range(int(sys.argv[1]))
    )
    for row in rows:
        send_message.delay(row.pk)


if __name__ == "__main__":
    main()
