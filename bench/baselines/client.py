"""The client ceiling: a bare aiohttp loop that posts the bodies Hermod posts, and does nothing else."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time

import aiohttp
import orjson


async def run(port: int, count: int, connections: int) -> dict[str, float]:
    """Post ``count`` messages over ``connections`` connections; returns the rate and the CPU of a call."""
    left = iter(range(count))
    bodies = [
        orjson.dumps(
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": f"+1415{n:07d}",
                "type": "text",
                "text": {"body": "Hello, World!"},
                "biz_opaque_callback_data": f"hm:00000000-0000-7000-8000-{n:012d}",
            }
        )
        for n in range(1000)
    ]
    headers = {"Content-Type": "application/json", "Authorization": "Bearer token"}
    connector = aiohttp.TCPConnector(limit=connections, limit_per_host=connections)
    url = f"http://127.0.0.1:{port}/v25.0/70000000000"

    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def loop() -> None:
            for n in left:
                address = f"{url}{n % 10}/messages"
                async with session.post(address, data=bodies[n % 1000], headers=headers) as answer:
                    assert b"wamid" in await answer.read()

        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        await asyncio.gather(*(loop() for _ in range(connections)))
        seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"per_second": count / seconds, "cpu_ms": used * 1000 / count, "seconds": seconds}


def main() -> None:
    """Read the command line, run, print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, default=15_000)
    parser.add_argument("--connections", type=int, default=500)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(options.port, options.count, options.connections))))


if __name__ == "__main__":
    main()
