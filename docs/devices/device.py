#!/usr/bin/env python3
"""A device in Python, with nothing but its standard library: signs a recording and posts it.

usage: XRAY_DEVICE_KEY=<64 hex digits> XRAY_INGEST=http://127.0.0.1:30081 device.py FILE
The key comes from "xrayctl devices keygen DEVICE". FILE is sent as it lies; it names the device.
"""
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request

PATH = "/v1/ingest"


def signature(key, device_id, key_id, timestamp, nonce, body):
    canonical = "\n".join(
        ["XRAY1-HMAC-SHA256", "POST", PATH, device_id, key_id, timestamp, nonce, hashlib.sha256(body).hexdigest()]
    )
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def main():
    with open(sys.argv[1], "rb") as file:
        body = file.read()
    device_id = json.loads(body)["deviceId"]
    key = bytes.fromhex(os.environ["XRAY_DEVICE_KEY"])
    nonce = base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()
    for attempt in range(10):
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Device-Id": device_id,
            "X-Key-Id": "k1",
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Signature": "v1=" + signature(key, device_id, "k1", timestamp, nonce, body),
        }
        request = urllib.request.Request(os.environ["XRAY_INGEST"] + PATH, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                print(answer.status, answer.read().decode())
                return 0
        except urllib.error.HTTPError as refused:
            print(refused.code, refused.read().decode(), file=sys.stderr)
            if refused.code not in (429, 503):
                return 1
            # Later, with the same nonce and the same bytes: it stays one message.
            time.sleep(int(refused.headers.get("Retry-After", "1")))
    return 1


if __name__ == "__main__":
    sys.exit(main())
