"""An issuer of OIDC tokens for tests: signs with real keys, and tells its public ones over HTTP on loopback."""

import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "holdfast"


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """Keys take a moment to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """Keys by their ids; what it tells of them is counted."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"first": rsa_key(1)}
        self.fetches = 0
        self.answers = True
        #: Put into every key that it tells.
        self.told: dict[str, str] = {}
        #: In place of what it would answer.
        self.configuration: dict[str, Any] = {}
        self.body: bytes | None = None
        self.redirects = False
        #: Seconds between two bytes of what it answers.
        self.pause = 0.0
        self.paths: list[str] = []
        self._closed = threading.Event()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def public_pem(self, key_id: str) -> bytes:
        return self.keys[key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def token(self, *, key: Any = None, key_id: str | None = "first", algorithm: str = "RS256", lifetime: float = 60, **claims: Any) -> str:
        """A token that is good unless told otherwise; a claim of None is left out."""
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "olga", "exp": int(time.time() + lifetime), "iat": int(time.time())}
        content = {name: value for name, value in (usual | claims).items() if value is not None}
        headers = {} if key_id is None else {"kid": key_id}
        return jwt.encode(content, key or self.keys[key_id or "first"], algorithm=algorithm, headers=headers)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.paths.append(request.path)
        if request.path == "/.well-known/openid-configuration":
            body: dict[str, Any] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.configuration
        else:
            self.fetches += 1
            body = {"keys": [self._told(key_id, key) for key_id, key in self.keys.items()]}
        request.send_response(302 if self.redirects else 200 if self.answers else 503)
        if self.redirects:
            request.send_header("Location", f"{self.url}/keys")
        request.end_headers()
        content = json.dumps(body).encode() if self.body is None else self.body
        for part in [content] if not self.pause else (content[at : at + 1] for at in range(len(content))):
            request.wfile.write(part)
            self._closed.wait(self.pause)

    def _told(self, key_id: str, key: Any) -> dict[str, Any]:
        algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
        return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id} | self.told
