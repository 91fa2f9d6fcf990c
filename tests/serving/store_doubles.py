"""Doubles of the stores of which there is no server to be had: they speak the HTTP of Google Cloud Storage, Azure Blob
Storage and Hugging Face to the real clients, as far as reading needs it, and issue tokens for pods' identities.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.serving.store_servers import Reply, StoreHandler, StoreServer

_DATE = "Sun, 29 Nov 2026 12:00:00 GMT"


@dataclass
class Double(StoreServer):
    """Files by their path in the store, and the tokens with which they may be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)
    """Tokens that were given for an identity."""
    lifetime: int = 3600
    """Seconds for which they are good, as the issuer says."""

    def issue(self) -> str:
        token = f"issued-{len(self.issued)}-{hashlib.sha256(str(self.port).encode()).hexdigest()}"
        self.issued.append(token)
        self.tokens.add(token)
        return token

    def object(self, handler: StoreHandler, name: str, **headers: str) -> Reply | None:
        """The answer with a file, if there is one."""
        content = self.files.get(name)
        if content is None:
            return None
        tag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324
        asked = handler.headers.get("If-Match")
        if asked not in (None, tag):
            return Reply(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
        return handler.part_of(content, ETag=tag, **{"Last-Modified": _DATE, **headers})


def _xml(status: int, code: str, message: str) -> Reply:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, {"Content-Type": "application/xml"}, text.encode())


def _json(document: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **headers}, json.dumps(document).encode())


@dataclass
class Google(Double):
    """Google Cloud Storage, and the metadata server of its clusters."""

    account: str = ""
    """Whose signature is good, beside the tokens."""

    def answer(self, handler: StoreHandler) -> Reply:
        address = urlsplit(handler.path)
        if address.path.startswith("/computeMetadata/"):
            return _json({"access_token": self.issue(), "expires_in": self.lifetime, "token_type": "Bearer"})
        given = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if given not in self.tokens and not self._is_signed(given):
            return _xml(401, "AuthenticationRequired", "Invalid Credentials")
        bucket, _, name = unquote(address.path).lstrip("/").partition("/")
        if not name:
            return self._listing(bucket, parse_qs(address.query).get("prefix", [""])[0])
        return self.object(handler, f"{bucket}/{name}", **{"x-goog-generation": "1"}) or _xml(
            404, "NoSuchKey", "The specified key does not exist."
        )

    def _is_signed(self, token: str) -> bool:
        """Whether a token names the account; who signed it is the real store's affair."""
        parts = token.split(".")
        if not self.account or len(parts) != 3:
            return False
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return bool(claims["iss"] == self.account)

    def _listing(self, bucket: str, prefix: str) -> Reply:
        found = "".join(
            f"<Contents><Key>{escape(path.removeprefix(f'{bucket}/'))}</Key><Size>{len(content)}</Size>"
            f"<LastModified>2026-11-29T12:00:00.000Z</LastModified>"
            f"<ETag>&quot;{hashlib.md5(content).hexdigest()}&quot;</ETag></Contents>"  # noqa: S324
            for path, content in sorted(self.files.items())
            if path.startswith(f"{bucket}/{prefix}")
        )
        text = f"<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>{found}</ListBucketResult>"
        return Reply(200, {"Content-Type": "application/xml"}, text.encode())


@dataclass
class Azure(Double):
    """Azure Blob Storage with shared access signatures, and Microsoft's issuer of tokens."""

    signature: str = "good"
    federated: str = ""
    """The token of the cluster for which the issuer gives one of its own."""

    def answer(self, handler: StoreHandler) -> Reply:
        address = urlsplit(handler.path)
        if address.path.endswith("/oauth2/v2.0/token"):
            return self._token(parse_qs(handler.body.decode()))
        query = parse_qs(address.query)
        given = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if query.get("sig") != [self.signature] and given not in self.tokens:
            return _xml(403, "AuthenticationFailed", "Signature did not match. String to sign used was r")
        container, _, name = unquote(address.path).lstrip("/").partition("/")
        if not name:
            return self._listing(container, query.get("prefix", [""])[0])
        extra = {"x-ms-creation-time": _DATE, "x-ms-blob-type": "BlockBlob"}
        return self.object(handler, f"{container}/{name}", **extra) or _xml(
            404, "BlobNotFound", "The specified blob does not exist."
        )

    def _token(self, form: dict[str, list[str]]) -> Reply:
        if form.get("client_assertion") != [self.federated]:
            return _json(
                {"error": "invalid_client", "error_description": "AADSTS700024: the assertion is no good"}, 401
            )
        return _json({"access_token": self.issue(), "expires_in": self.lifetime, "token_type": "Bearer"})

    def _listing(self, container: str, prefix: str) -> Reply:
        found = "".join(
            f"<Blob><Name>{escape(path.removeprefix(f'{container}/'))}</Name><Properties>"
            f"<Last-Modified>{_DATE}</Last-Modified><Etag>{hashlib.md5(content).hexdigest()}</Etag>"  # noqa: S324
            f"<Content-Length>{len(content)}</Content-Length><Content-Type>x/y</Content-Type></Properties></Blob>"
            for path, content in sorted(self.files.items())
            if path.startswith(f"{container}/{prefix}")
        )
        listed = f"<Prefix>{escape(prefix)}</Prefix><Blobs>{found}</Blobs><NextMarker/>"
        text = f"<EnumerationResults>{listed}</EnumerationResults>"
        return Reply(200, {"Content-Type": "application/xml"}, text.encode())


PERMISSION = "Signature=what-only-the-client-may-know"
REPOSITORY, COMMIT = "acme/iris", "4d35814e0f2b5c1a9d8e7f6a5b4c3d2e1f0a9b8c"


@dataclass
class Hub(Double):
    """Hugging Face: one repository at one commit; files from `large` bytes on are kept elsewhere, as with LFS."""

    large: int = 100

    def answer(self, handler: StoreHandler) -> Reply:
        path = unquote(urlsplit(handler.path).path)
        if path.startswith("/cdn/"):
            # What the hub sends its clients to: the address itself is the permission.
            return self.object(handler, path.removeprefix("/cdn/")) or Reply(403, {})
        given = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.tokens and given not in self.tokens:
            said = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."}
            return _json({"error": "Invalid username or password."}, 401, **said)
        api, resolve = f"/api/models/{REPOSITORY}", f"/{REPOSITORY}/resolve/{COMMIT}/"
        if path.startswith(f"{api}/paths-info/{COMMIT}"):
            wanted = _paths(handler)
            return _json([entry for name in wanted for entry in self._entries() if entry["path"] == name])
        if path.startswith(f"{api}/tree/{COMMIT}"):
            return self._tree(path.removeprefix(f"{api}/tree/{COMMIT}").strip("/"))
        if path.startswith(resolve):
            return self._resolve(handler, path.removeprefix(resolve))
        return _json({"error": "Not Found"}, 404, **{"X-Error-Message": "There is nothing here"})

    def _entries(self) -> list[dict[str, Any]]:
        folders = {path.rpartition("/")[0] for path in self.files} - {""}
        return [
            *({"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)),
            *(self._entry(path, content) for path, content in sorted(self.files.items())),
        ]

    def _entry(self, path: str, content: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()  # noqa: S324
        entry = {"type": "file", "path": path, "size": len(content), "oid": blob}
        if len(content) >= self.large:
            lfs = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            entry |= {"oid": "1" * 40, "lfs": lfs}
        return entry

    def _tree(self, below: str) -> Reply:
        found = [entry for entry in self._entries() if not below or entry["path"].startswith(f"{below}/")]
        if below and not found:
            said = {"X-Error-Code": "EntryNotFound", "X-Error-Message": f"{below} does not exist on {COMMIT}"}
            return _json({"error": said["X-Error-Message"]}, 404, **said)
        return _json(found)

    def _resolve(self, handler: StoreHandler, name: str) -> Reply:
        if len(self.files.get(name, b"")) >= self.large:
            return Reply(302, {"Location": f"{self.url}/cdn/{name}?{PERMISSION}"})
        return self.object(handler, name) or _json(
            {"error": "Entry not found"}, 404, **{"X-Error-Code": "EntryNotFound"}
        )


def _paths(handler: StoreHandler) -> list[str]:
    text = handler.body.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(text)["paths"]


@dataclass
class TokenService(StoreServer):
    """Amazon's STS: gives the keys that it was told for the token of a cluster."""

    token: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    expiry: str = "2099-01-01T00:00:00Z"

    def answer(self, handler: StoreHandler) -> Reply:
        form = parse_qs(urlsplit(handler.path).query) | parse_qs(handler.body.decode())
        if form.get("WebIdentityToken") != [self.token]:
            text = (
                "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>"
                "<Message>No OpenIDConnect provider found in your account</Message></Error></ErrorResponse>"
            )
            return Reply(400, {"Content-Type": "text/xml"}, text.encode())
        text = (
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
            f"<AccessKeyId>{self.keys['AWS_ACCESS_KEY_ID']}</AccessKeyId>"
            f"<SecretAccessKey>{self.keys['AWS_SECRET_ACCESS_KEY']}</SecretAccessKey>"
            f"<SessionToken></SessionToken><Expiration>{self.expiry}</Expiration>"
            "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        )
        return Reply(200, {"Content-Type": "text/xml"}, text.encode())
