"""A certificate of this machine, made for a test."""

import ssl
import subprocess
from pathlib import Path


def certified(folder: Path) -> ssl.SSLContext:
    """A server's context, with a certificate that nobody trusts until they are told to."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    line = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
    line += f"-subj /CN=shop -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    subprocess.run(line.split(), check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context
