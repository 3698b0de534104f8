"""S3, SNS, SQS and EventBridge on this machine: moto on a free loopback port. Knows nothing of the product.

    local_aws.py

The first line on stdout is JSON: {"endpoint": URL}. It ends when its stdin is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from types import TracebackType
from typing import Any

REGION = "eu-central-1"

# What moto takes for its own account, when nobody says otherwise.
ACCOUNT = "123456789012"


def forget_real_aws() -> None:
    """Clears this process of whatever could lead to a real account, or between us and loopback.

    A profile, an endpoint or a certificate bundle in the caller's environment is meant for the outside world.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(local_environment())


def local_environment() -> dict[str, str]:
    """Dummy credentials, and no file of the caller's read."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


class LocalAws:
    """moto, served from a thread of this process."""

    def __init__(self) -> None:
        forget_real_aws()
        # Read after the environment is clean: moto and botocore look at it when they are imported.
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import WSGIRequestHandler, make_server

        class QuietHandler(WSGIRequestHandler):
            # Headers and body leave as two packets; Nagle's algorithm would hold the second back for 40 ms.
            disable_nagle_algorithm = True

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Silent: nobody asked for an access log."""

        application = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> LocalAws:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION)

    def environment(self) -> dict[str, str]:
        """What a process needs to find this AWS."""
        return {**local_environment(), "AWS_ENDPOINT_URL": self.endpoint}


def main() -> int:
    with LocalAws() as aws:
        print(json.dumps({"endpoint": aws.endpoint}), flush=True)
        try:
            sys.stdin.buffer.read()
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
