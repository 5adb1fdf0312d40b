"""Keys of outside issuers: when they are fetched, how long they are cached, and what a real issuer may answer."""

from __future__ import annotations

import contextlib
import datetime
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rolecall.sessions import discovery, issuer_keys
from rolecall.sessions.issuer_errors import UnreachableIssuerError
from rolecall.sessions.issuer_keys import IssuerKeys, KeysWantedError, fetch_over_network
from rolecall.sessions.signing_keys import new_signing_key, public_jwk
from rolecall.sessions.web_identity import BadKeySetError, KeySet

KEYS_SECONDS = 3600
RETRY_SECONDS = 5
UNKNOWN_KEY_SECONDS = 30

URL = "https://idp.example.com"
FIRST, SECOND = new_signing_key("ES256"), new_signing_key("ES256")


def set_text(*keys: Any) -> str:
    return json.dumps({"keys": [public_jwk(key) for key in keys]})


class Issuer:
    """The answers of a network, and a clock that tests move by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.fetched = 0
        self.answer: str | Exception = set_text(FIRST)
        self.keys = IssuerKeys(self._fetch)
        monkeypatch.setattr(issuer_keys, "monotonic_seconds", lambda: self.now)

    def _fetch(self, url: str) -> str:
        assert url == URL
        self.fetched += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def key_set(self, key_id: str = FIRST.key_id) -> KeySet:
        """As the gateway does it: at most one fetch, and then an answer."""
        try:
            return self.keys.key_set(URL, key_id)
        except KeysWantedError as wanted:
            wanted.fetch()
        return self.keys.key_set(URL, key_id)


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    return Issuer(monkeypatch)


def test_keys_are_fetched_once_an_hour(issuer: Issuer) -> None:
    first = issuer.key_set()
    issuer.now += KEYS_SECONDS
    assert issuer.key_set() is first
    assert issuer.fetched == 1
    issuer.now += 1
    assert issuer.key_set() is not first
    assert issuer.fetched == 2


def test_a_new_key_is_found_when_a_token_names_it(issuer: Issuer) -> None:
    issuer.key_set()
    issuer.answer = set_text(FIRST, SECOND)
    assert SECOND.key_id not in issuer.key_set(SECOND.key_id)
    issuer.now += UNKNOWN_KEY_SECONDS + 1
    assert SECOND.key_id in issuer.key_set(SECOND.key_id)
    assert issuer.fetched == 2


def test_a_key_that_is_withdrawn_verifies_nothing_after_the_next_fetch(issuer: Issuer) -> None:
    assert FIRST.key_id in issuer.key_set()
    issuer.answer = set_text(SECOND)
    issuer.now += KEYS_SECONDS + 1
    assert FIRST.key_id not in issuer.key_set()


def test_doubt_asks_again_after_a_while(issuer: Issuer) -> None:
    issuer.keys.doubt(URL)
    issuer.key_set()
    issuer.keys.doubt(URL)
    issuer.now += UNKNOWN_KEY_SECONDS + 1
    with pytest.raises(KeysWantedError) as caught:
        issuer.keys.doubt(URL)
    caught.value.fetch()
    issuer.keys.doubt(URL)
    assert issuer.fetched == 2


@pytest.mark.parametrize("failure", [UnreachableIssuerError("down"), BadKeySetError("nonsense"), "[]"])
def test_a_failure_is_remembered_for_a_moment(issuer: Issuer, failure: Exception | str) -> None:
    issuer.answer = failure
    expected = type(failure) if isinstance(failure, Exception) else BadKeySetError
    for _ in range(3):
        with pytest.raises(expected):
            issuer.key_set()
    assert issuer.fetched == 1
    issuer.answer = set_text(FIRST)
    issuer.now += RETRY_SECONDS + 1
    assert FIRST.key_id in issuer.key_set()


def test_good_keys_stay_when_an_unknown_one_cannot_be_looked_for(issuer: Issuer) -> None:
    issuer.key_set()
    issuer.answer = UnreachableIssuerError("down")
    issuer.now += UNKNOWN_KEY_SECONDS + 1
    assert FIRST.key_id in issuer.key_set("unknown")
    assert FIRST.key_id in issuer.key_set()
    issuer.now += KEYS_SECONDS
    with pytest.raises(UnreachableIssuerError):
        issuer.key_set()


def test_several_threads_fetch_once(issuer: Issuer) -> None:
    wanted = []
    for _ in range(5):
        with pytest.raises(KeysWantedError) as caught:
            issuer.keys.key_set(URL, FIRST.key_id)
        wanted.append(caught.value)
    threads = [threading.Thread(target=error.fetch) for error in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert issuer.fetched == 1


def test_no_issuer_waits_for_another_one() -> None:
    """However many there are: none shares its turn with the one that does not answer."""
    release, asked = threading.Event(), threading.Event()

    def fetch(url: str) -> str:
        if url == URL:
            asked.set()
            assert release.wait(300)
        return set_text(FIRST)

    keys = IssuerKeys(fetch)
    slow = threading.Thread(target=keys.fetch, args=(URL, 0.0))
    slow.start()
    assert asked.wait(300)
    for number in range(64):
        keys.fetch(f"{URL}/{number}", 0.0)
        assert FIRST.key_id in keys.key_set(f"{URL}/{number}", FIRST.key_id)
    assert slow.is_alive()
    release.set()
    slow.join(300)
    assert keys._turns == {}


def test_what_is_worked_out_lasts_for_one_generation() -> None:
    keys = IssuerKeys()
    keys.of_generation(1).put("a", "b")
    assert keys.of_generation(1).get("a") == "b"
    assert keys.of_generation(2).get("a") is None
    assert keys.of_generation(1).get("a") is None


# Over the network.

Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A web server on this machine with answers by path; ``asked`` holds the requests."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer | Callable[[], Answer]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                found = site.answers.get(self.path, (404, {}, b""))
                status, headers, body = found() if callable(found) else found
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # a client may close early
                    super().handle()

        class Server(HTTPServer):
            def handle_error(self, *_arguments: Any) -> None:
                pass  # clients that do not trust the certificate close early

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http" if context is None else "https"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def publish(self, path: str = "", keys: str = "", **changed: Any) -> str:
        """Put an issuer at this path. Returns its URL."""
        issuer = self.url + path
        document = {"issuer": issuer, "jwks_uri": f"{self.url}/keys", **changed}
        self.answers[f"{path.rstrip('/')}/.well-known/openid-configuration"] = 200, {}, json.dumps(document).encode()
        self.answers["/keys"] = 200, {}, (keys or set_text(FIRST)).encode()
        return issuer

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the tests' issuers as much time as a busy machine needs."""
    monkeypatch.setattr(issuer_keys, "TOTAL_SECONDS", 300)
    monkeypatch.setitem(discovery._pool.connection_pool_kw, "timeout", 300)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.mark.parametrize("path", ["", "/tenant", "/tenant/"])
def test_discovery_leads_to_the_keys(site: Site, path: str) -> None:
    assert fetch_over_network(site.publish(path)) == set_text(FIRST)
    assert site.asked == [f"{path.rstrip('/')}/.well-known/openid-configuration", "/keys"]


REDIRECT = {"Location": "/elsewhere"}


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("document", (404, {}, b""), BadKeySetError),
        ("document", (503, {}, b""), UnreachableIssuerError),
        ("document", (429, {}, b""), UnreachableIssuerError),
        ("document", (302, REDIRECT, b""), BadKeySetError),
        ("document", (200, {}, b"<html>"), BadKeySetError),
        ("document", (200, {}, b"[]"), BadKeySetError),
        ("document", (200, {}, b"[" * 100_000), BadKeySetError),
        ("document", (200, {}, b"\xff"), BadKeySetError),
        ("document", (200, {}, b"{}"), BadKeySetError),
        ("document", (200, {}, b" " * (discovery.MAXIMUM_DOCUMENT_BYTES + 1)), BadKeySetError),
        ("keys", (404, {}, b""), BadKeySetError),
        ("keys", (500, {}, b""), UnreachableIssuerError),
        ("keys", (301, REDIRECT, b""), BadKeySetError),
        ("keys", (200, {}, b" " * (discovery.MAXIMUM_DOCUMENT_BYTES + 1)), BadKeySetError),
    ],
)
def test_what_an_issuer_may_not_answer(site: Site, path: str, answer: Answer, error: type[Exception]) -> None:
    issuer = site.publish()
    site.answers["/keys" if path == "keys" else discovery.DISCOVERY_PATH] = answer
    site.answers["/elsewhere"] = 200, {}, set_text(FIRST).encode()
    with pytest.raises(error):
        fetch_over_network(issuer)
    assert "/elsewhere" not in site.asked


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://other.example.com"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://idp.example.com/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "/keys"},
        {"jwks_uri": "https://"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": "ftp://localhost/keys"},
    ],
)
def test_documents_that_lead_elsewhere(site: Site, changed: dict[str, Any]) -> None:
    with pytest.raises(BadKeySetError):
        fetch_over_network(site.publish(**changed))
    assert site.asked == [discovery.DISCOVERY_PATH]


def test_an_issuer_outside_may_not_lead_to_this_machine() -> None:
    assert not discovery._allowed("http://localhost/keys", "https://idp.example.com")
    assert discovery._allowed("https://keys.example.com/keys", "https://idp.example.com")


def test_an_issuer_that_is_not_there() -> None:
    site = Site()
    site.close()
    with pytest.raises(UnreachableIssuerError):
        fetch_over_network(site.url)


def test_an_issuer_that_takes_too_long_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow() -> Answer:
        release.wait(300)
        return 200, {}, b"{}"

    issuer = site.publish()
    site.answers[discovery.DISCOVERY_PATH] = slow
    monkeypatch.setattr(issuer_keys, "TOTAL_SECONDS", 0.05)
    try:
        with pytest.raises(UnreachableIssuerError, match="did not answer within"):
            fetch_over_network(issuer)
        # The thread that asked cannot be ended, so there are no more of them until it is.
        threads = threading.active_count()
        for _ in range(3):
            with pytest.raises(UnreachableIssuerError, match="still sending its answer"):
                fetch_over_network(issuer)
        assert threading.active_count() == threads
    finally:
        release.set()
    issuer_keys._given_up[issuer].join(300)
    site.answers[discovery.DISCOVERY_PATH] = (404, {}, b"")
    monkeypatch.setattr(issuer_keys, "TOTAL_SECONDS", 300)
    with pytest.raises(BadKeySetError, match="answered 404"):
        fetch_over_network(issuer)


# Certificates.


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


def test_certificates_are_verified_by_the_machines_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate_file, key_file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    site = Site(context)
    try:
        issuer = site.publish()
        with pytest.raises(UnreachableIssuerError, match=r"(?i)certificate.verify.failed"):
            fetch_over_network(issuer)
        assert site.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate_file))
        # Its open connections keep the previous authorities.
        discovery._pool.clear()
        assert fetch_over_network(issuer) == set_text(FIRST)
    finally:
        site.close()
        discovery._pool.clear()
