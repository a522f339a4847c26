"""Stands in for the HTTPS endpoints of the deployed HTTP APIs.

The functions deliver to https URLs alone, and the emulator speaks plain HTTP and tells its APIs apart by the Host header.
So this terminates TLS with a certificate made for the run and hands each request on by the first part of its path. Bodies
and all other headers go through unchanged.

Invariant: a request is answered by exactly one API or by the outage that was asked for, and is remembered with
its answer's status, so that a test can look at what was really sent.
"""

import datetime
import http.client
import ipaddress
import ssl
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Seen = namedtuple("Seen", "method path headers body status")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


def certify(folder):
    """Makes an authority and a certificate for 127.0.0.1; returns the authority's file and the server's."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, key, issuer, issuer_key, *extensions):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=2))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate(
        "beckn-health deployment test", authority_key, None, authority_key, (x509.BasicConstraints(True, None), True)
    )
    key = ec.generate_private_key(ec.SECP256R1())
    server = certificate(
        "127.0.0.1",
        key,
        authority,
        authority_key,
        (x509.BasicConstraints(False, None), True),
        (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False),
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), False),
    )
    pem = serialization.Encoding.PEM
    authority_file, server_file = folder / "authority.pem", folder / "server.pem"
    authority_file.write_bytes(authority.public_bytes(pem))
    server_file.touch(mode=0o600)
    server_file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + server.public_bytes(pem)
    )
    return authority_file, server_file


class Front:
    """Serves `https://127.0.0.1:{port}`."""

    def __init__(self, server_file):
        self.apis = {}  # first part of the path -> (port of the emulator, Host header)
        self.outages = {}  # path -> status answered instead of the API's
        self.seen = []
        handler = type("Handler", (_Handler,), {"front": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_file)
        # The handshake belongs to the connection's own thread: one that stalls must not hold the others up.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def route(self, segments, port, host):
        for segment in segments:
            self.apis[segment] = (port, host)

    def requests(self, path):
        """What came to this path so far."""
        return [it for it in list(self.seen) if it.path.split("?")[0] == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front = None

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        status = self.front.outages.get(path)
        if status:
            headers, answer = {}, b"{}"
        elif path.strip("/").split("/")[0] in self.front.apis:
            port, host = self.front.apis[path.strip("/").split("/")[0]]
            status, headers, answer = self.forward(port, host, body)
        else:
            status, headers, answer = 404, {}, b"{}"
        self.front.seen.append(Seen(self.command, self.path, dict(self.headers.items()), body, status))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = answer

    def forward(self, port, host, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            connection.request(self.command, self.path, body, {**headers, "Host": host})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def log_message(self, *_):
        """Nothing: the requests are remembered instead."""
