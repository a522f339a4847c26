"""An app of the deployed BAP: the calls of a booking, and waiting for what comes back."""

import base64
import hashlib
import json
import re
import ssl
import time
import urllib.error
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CITY = {"city": {"code": "std:0999"}, "country": {"code": "IND"}}


class Failed(Exception):
    """A scenario did not go as promised."""


def expect(condition, sentence):
    if not condition:
        raise Failed(sentence)


def wait_until(what, condition, seconds=60):
    """The first truthy value of `condition()`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.25)
    raise Failed(f"waited {seconds} s in vain for {what}")


class App:
    def __init__(self, url, authority_file):
        self.url = url
        self.tls = ssl.create_default_context(cafile=str(authority_file))

    def call(self, path, body=None, headers=None):
        """Status and parsed answer of a POST (with a body) or a GET."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"content-type": "application/json", **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.loads(refusal.read() or b"{}")

    def send(self, action, context, message):
        status, answer = self.call(f"/client/{action}", {"context": context, "message": message})
        expect(
            status in (200, 202) and answer.get("ack", {}).get("status") == "ACK",
            f"{action}: expected an ACK, found {status} {answer}",
        )
        return answer["transaction_id"], answer["message_id"]

    def transaction(self, transaction_id):
        status, answer = self.call(f"/client/transactions/{transaction_id}")
        expect(status == 200, f"transaction: expected 200, found {status} {answer}")
        return answer

    def received(self, transaction_id, action, message_id=None):
        """The bodies of the callbacks of this action that the BAP has."""
        return [
            it["body"]
            for it in self.transaction(transaction_id)["messages"]
            if it["direction"] == "received"
            and it["action"] == action
            and message_id in (None, it["message_id"])
        ]

    def callback(self, transaction_id, action, message_id=None, seconds=60):
        return wait_until(action, lambda: self.received(transaction_id, action, message_id), seconds)[0]

    # ---------- A booking, step by step ----------

    def search(self):
        intent = {"category": {"descriptor": {"name": "cardiology"}}}
        transaction_id, message_id = self.send("search", {"location": CITY}, {"intent": intent})
        found = self.callback(transaction_id, "on_search", message_id)
        return transaction_id, found

    def order(self, found, slot=None):
        """The order of the first item found, at the last slot shown or the one given.

        The next slots are left to the scenario that waits for one to begin.
        """
        provider = found["message"]["catalog"]["providers"][0]
        item = provider["items"][0]
        return {
            "provider": {"id": provider["id"]},
            "items": [{"id": item["id"]}],
            "fulfillments": [{"id": slot or item["fulfillment_ids"][-1]}],
        }

    def hold(self, transaction_id, found, order):
        """`init`: the slot is held; the order as the BPP told it."""
        context = {"transaction_id": transaction_id, "bpp_id": found["context"]["bpp_id"]}
        patient = {"name": "Asha Verma"}
        fulfillment = {**order["fulfillments"][0], "customer": {"person": patient}}
        billing = {**patient, "phone": "+91-9000000001"}
        _, message_id = self.send(
            "init", context, {"order": {**order, "billing": billing, "fulfillments": [fulfillment]}}
        )
        held = self.callback(transaction_id, "on_init", message_id)
        expect("error" not in held, f"on_init: {held.get('error')}")
        return context, held["message"]["order"]


def check_signature(header, body, public_key):
    """Verifies a Beckn signature (BECKN-006) with another implementation than the project's; returns the signer."""
    expect(header.startswith("Signature "), f"expected the Signature scheme, found {header[:20]!r}")
    parts = dict(re.findall(r'([\w()]+)="([^"]*)"', header))
    digest = base64.b64encode(hashlib.blake2b(body, digest_size=64).digest()).decode()
    text = f"(created): {parts['created']}\n(expires): {parts['expires']}\ndigest: BLAKE-512={digest}"
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
    key.verify(base64.b64decode(parts["signature"]), text.encode())
    return parts["keyId"].split("|")[0]
