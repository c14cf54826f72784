"""Shell: a certificate authority for tests, made by openssl as a person would."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30"]


class Authority:
    """A CA; `certificate` is what its clients trust."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True)
        self.certificate, self._key = folder / "ca.crt", folder / "ca.key"
        _openssl("req", "-x509", *_KEY, "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate)

    def sign(self, folder: Path, *names: str, traditional: bool = False) -> None:
        """Puts tls.crt, tls.key and ca.crt for these host names into `folder`, as a Secret has them.

        `traditional`: an RSA key as PKCS#1, which cert-manager writes unless told otherwise.
        """
        folder.mkdir(parents=True, exist_ok=True)
        alternatives = ",".join(f"DNS:{name}" for name in names)
        key = folder / "tls.key"
        issuer: list[str | Path] = ["-CA", self.certificate, "-CAkey", self._key]
        kind = ["-newkey", "rsa:2048", "-noenc", "-days", "30"] if traditional else _KEY
        own = ["-subj", "/CN=server", "-addext", f"subjectAltName={alternatives}"]
        own += ["-addext", "basicConstraints=critical,CA:FALSE"]
        _openssl("req", "-x509", *kind, *issuer, *own, "-keyout", key, "-out", folder / "tls.crt")
        if traditional:
            _openssl("rsa", "-traditional", "-in", key, "-out", key)
        (folder / "ca.crt").write_bytes(self.certificate.read_bytes())


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
