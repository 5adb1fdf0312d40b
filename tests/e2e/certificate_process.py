"""A program for ``credential_process``: CreateSession, signed by the command ``openssl``.

Written after the IAM Roles Anywhere User Guide, "The IAM Roles Anywhere authentication signing process". It knows
nothing of Rolecall, and no library signs for it. It takes a JSON file with its settings.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlsplit


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def der(pem: str) -> str:
    """The certificate in base 64, as the headers have it."""
    return "".join(line for line in pem.splitlines() if line and not line.startswith("-----"))


def main(settings: dict[str, str]) -> int:
    endpoint = urlsplit(settings["endpoint"])
    certificate = Path(settings["certificate"]).read_text(encoding="ascii")
    serial = int(
        openssl("x509", "-serial", "-noout", given=certificate.encode()).decode().strip().partition("=")[2], 16
    )
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    body = json.dumps({"durationSeconds": int(settings.get("durationSeconds", "900")), "cert": der(certificate)})
    # As the helper of AWS does, the ARNs are in the query.
    arns = {name: settings[name] for name in ("profileArn", "roleArn", "trustAnchorArn")}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(arns.items()))
    headers = {
        "content-type": "application/json",
        "host": endpoint.netloc,
        "x-amz-date": date,
        "x-amz-x509": der(certificate),
    }
    if "chain" in settings:
        parts = Path(settings["chain"]).read_text(encoding="ascii").split("-----END CERTIFICATE-----")
        headers["x-amz-x509-chain"] = ",".join(der(part) for part in parts if der(part))
    names = sorted(headers)
    canonical = "\n".join(
        ["POST", "/sessions", query]
        + [f"{name}:{headers[name]}" for name in names]
        + ["", ";".join(names), hashlib.sha256(body.encode()).hexdigest()]
    )
    kind = "RSA" if b"rsaEncryption" in openssl("x509", "-text", "-noout", given=certificate.encode()) else "ECDSA"
    algorithm, scope = f"AWS4-X509-{kind}-SHA256", f"{date[:8]}/{settings['region']}/rolesanywhere/aws4_request"
    text = f"{algorithm}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = openssl("dgst", "-sha256", "-sign", settings["key"], given=text.encode()).hex()
    headers["authorization"] = (
        f"{algorithm} Credential={serial}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    host, port = endpoint.hostname or "", endpoint.port
    connection = http.client.HTTPConnection(host, port, timeout=60)
    if endpoint.scheme == "https":
        context = ssl.create_default_context(cafile=settings["bundle"])
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=60)
    # In chunks, as the helper of AWS sends it.
    connection.request("POST", f"/sessions?{query}", iter([body.encode()]), headers, encode_chunked=True)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    if answer.status != 201:
        sys.stderr.write(f"{answer.getheader('x-amzn-ErrorType')}: {found['message']}\n")
        return 1
    given = found["credentialSet"][0]["credentials"]
    shown = {name[0].upper() + name[1:]: value for name, value in given.items()}
    sys.stdout.write(json.dumps({"Version": 1, **shown}))
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
