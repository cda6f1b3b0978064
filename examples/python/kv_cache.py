"""A KV cache over memcache-gateway, with the standard library only.

    python3 kv_cache.py          GATEWAY_URL=http://127.0.0.1:8080  GATEWAY_TOKEN=mcg_...

It stores blocks, asks how many of them are there, reads one, and removes them.
"""

import hashlib
import http.client
import json
import os
import time
import urllib.parse

BLOCK_BYTES = 61 * (131_072 + 16_384)


class GatewayError(Exception):
    """A problem of the gateway: `problem` is its name, `status` the HTTP status."""

    def __init__(self, status, problem, detail):
        super().__init__(f"{status} {problem}: {detail}")
        self.status = status
        self.problem = problem


class Gateway:
    """One connection, for one thread."""

    def __init__(self, url, token=None, attempts=4):
        parsed = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parsed.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parsed.netloc, timeout=60)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._attempts = attempts

    def put(self, key, value):
        """Stores bytes under a new key. An object cannot be changed."""
        self._request("PUT", self._object(key), value)

    def get(self, key):
        """The bytes of an object, or None if there is none."""
        try:
            return self._request("GET", self._object(key))
        except GatewayError as error:
            if error.problem == "object-not-found":
                return None
            raise

    def remove(self, key):
        self._request("DELETE", self._object(key))

    def leading(self, keys):
        """How many of the keys, from the first on, are there: the blocks that need no prefill."""
        body = json.dumps({"keys": keys, "until": "missing"})
        return json.loads(self._request("POST", "/v1/batch/exists", body))["leading"]

    @staticmethod
    def _object(key):
        # A slash belongs to the key and needs no escape.
        return "/v1/objects/" + urllib.parse.quote(key, safe="/")

    def _request(self, method, path, body=None):
        headers = dict(self._headers)
        if method == "POST":
            headers["Content-Type"] = "application/json"
        for attempt in range(self._attempts):
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            data = response.read()
            if response.status < 300:
                return data
            problem = json.loads(data)
            is_last = attempt == self._attempts - 1
            if is_last or not problem["retryable"]:
                name = problem["type"].rsplit("/", 1)[-1]
                raise GatewayError(response.status, name, problem["detail"])
            time.sleep(float(response.headers.get("Retry-After", 1)))
        raise AssertionError("unreachable")


def main():
    gateway = Gateway(
        os.environ.get("GATEWAY_URL", "http://127.0.0.1:8080"), os.environ.get("GATEWAY_TOKEN")
    )
    prefix = f"guides/python/{os.getpid()}"
    keys = [f"{prefix}/{block}" for block in range(4)]
    block = os.urandom(BLOCK_BYTES)
    for key in keys[:3]:
        gateway.put(key, block)
    print(f"stored {len(keys) - 1} blocks of {len(block)} bytes")
    print(f"{gateway.leading(keys)} of {len(keys)} blocks are there")
    fetched = gateway.get(keys[0])
    same = hashlib.sha256(fetched).digest() == hashlib.sha256(block).digest()
    print("the bytes are equal" if same else "the bytes differ")
    print(f"a missing block: {gateway.get(keys[3]) is not None}".lower())
    for key in keys[:3]:
        gateway.remove(key)
    print("removed the blocks")


if __name__ == "__main__":
    main()
