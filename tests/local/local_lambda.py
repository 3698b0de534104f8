"""AWS Lambda on this machine, for one function: the Runtime API for the real binary, the Invoke API for its callers.

It knows nothing of S3, SNS or what the function does, and needs the standard library alone.

    local_lambda.py --bootstrap PATH [--timeout SECONDS] [--log FILE]

The first line on stdout is JSON: {"invoke": URL, "pid": PID OF THE FUNCTION}. It ends when its stdin is closed, and
takes the function with it. The function inherits the environment; what Lambda sets is added where it is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

import program

FUNCTION_NAME = "function"
FUNCTION_ARN = f"arn:aws:lambda:eu-central-1:123456789012:function:{FUNCTION_NAME}"
INVOKE_PATH = f"/2015-03-31/functions/{FUNCTION_NAME}/invocations"
RUNTIME_PATH = "/2018-06-01/runtime"

# What Lambda allows a function before it must have asked for work.
INIT_SECONDS = 10.0
DEFAULT_TIMEOUT_SECONDS = 60.0

LAMBDA_ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME,
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{FUNCTION_NAME}",
    "AWS_LAMBDA_LOG_STREAM_NAME": "local",
    "_HANDLER": "bootstrap",
}


@dataclass(frozen=True)
class Answer:
    """What the caller of an invocation receives."""

    body: bytes
    failed: bool


@dataclass(frozen=True)
class Invocation:
    """One piece of work on its way into the function."""

    payload: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class Report:
    """What happened: `asked` for work, `handed over`, `answered`, `failed`, `failed to start` or `exited`."""

    what: str
    body: bytes = b""


class FunctionDied(program.Failed):
    """The function ended, or never asked for work, before there was anything to do."""


class QuickHandler(BaseHTTPRequestHandler):
    """HTTP/1.1 without what costs 40 ms a call: Nagle's algorithm, and headers and body sent one by one."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: a line for each request would drown the function's own output."""

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, error_type: str, message: str) -> None:
        self.reply(status, error_body(error_type, message))


class LoopbackServer(ThreadingHTTPServer):
    """A server on a free loopback port, running in a thread of its own."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent when the other side has hung up: a killed function does."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Sandbox:
    """One process of the function with a Runtime API of its own; like Lambda's, it is never used again after a failure.

    `started_at` and `asked_at` are readings of `time.perf_counter`, for those who measure.
    """

    def __init__(self, bootstrap: Path, environment: Mapping[str, str], output: IO[Any] | int, timeout: float) -> None:
        self.timeout = timeout
        self.asked_at: float | None = None
        self.answered_at: float | None = None
        self._work: queue.Queue[Invocation | None] = queue.Queue()
        self._reports: queue.Queue[Report] = queue.Queue()
        self._current: str | None = None
        self._exited = threading.Event()
        self._server = LoopbackServer(runtime_api(self))
        self.started_at = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                [str(bootstrap)],
                env=function_environment(environment, self._server.address),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=False,  # lets Python start it by vfork, which is what a measurement of the start wants
            )
        except OSError as error:
            self._server.stop()
            raise FunctionDied(f"{bootstrap} could not be started: {error}") from error
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._exited.is_set()

    def wait_until_ready(self) -> None:
        """Returns once the function has asked for work."""
        report = self._wait(INIT_SECONDS, {"asked", "failed to start", "exited"})
        if report is None:
            self.stop()
            raise FunctionDied(f"the function did not ask for work within {INIT_SECONDS:.0f} seconds")
        if report.what == "failed to start":
            self.stop()
            raise FunctionDied(f"the function failed to start: {report.body.decode(errors='replace')}")
        if report.what == "exited":
            raise FunctionDied(f"the function ended before it asked for work ({self.exit_text()})")

    def invoke(self, payload: bytes) -> Answer:
        """Hands over one event and waits for its answer. After a time-out the process is gone."""
        invocation = Invocation(payload)
        self._work.put(invocation)
        report = self._wait(INIT_SECONDS, {"handed over", "failed to start", "exited"})
        allowed = INIT_SECONDS
        if report and report.what == "handed over":
            report = self._wait(self.timeout, {"answered", "failed", "exited"})
            allowed = self.timeout
        if report is None:
            self.stop()
            text = f"RequestId: {invocation.id} Error: Task timed out after {allowed:.2f} seconds"
            return Answer(error_body("Sandbox.Timedout", text), failed=True)
        if report.what == "exited":
            text = f"RequestId: {invocation.id} Error: Runtime exited with error: {self.exit_text()}"
            return Answer(error_body("Runtime.ExitError", text), failed=True)
        if report.what == "failed to start":
            self.stop()
        return Answer(report.body, failed=report.what != "answered")

    def stop(self) -> None:
        self.process.terminate()
        if not self._exited.wait(2):
            self.process.kill()
            self._exited.wait()
        self._server.stop()

    def exit_text(self) -> str:
        status = self.process.returncode
        return f"signal: {signal.strsignal(-status)}" if status < 0 else f"exit status {status}"

    # What the Runtime API calls.

    def next_work(self) -> Invocation | None:
        """Blocks until there is work; None when the sandbox is ending."""
        if self.asked_at is None:
            self.asked_at = time.perf_counter()
        self._reports.put(Report("asked"))
        invocation = self._work.get()
        if invocation:
            self._current = invocation.id
            self._reports.put(Report("handed over"))
        return invocation

    def accept(self, what: str, invocation_id: str, body: bytes) -> bool:
        """False when this is not the invocation that the function was given."""
        if invocation_id != self._current:
            return False
        if self.answered_at is None:
            self.answered_at = time.perf_counter()
        self._current = None
        self._reports.put(Report(what, body))
        return True

    def accept_init_error(self, body: bytes) -> None:
        self._reports.put(Report("failed to start", body))

    def _watch(self) -> None:
        self.process.wait()
        self._exited.set()
        self._reports.put(Report("exited"))
        self._work.put(None)

    def _wait(self, seconds: float, kinds: set[str]) -> Report | None:
        """The next report of one of these kinds, or None when the time is over."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            with suppress(queue.Empty):
                report = self._reports.get(timeout=left)
                if report.what in kinds:
                    return report
        return None


class LocalLambda:
    """The function as its callers know it: one invocation at a time, the others wait; a dead process is replaced."""

    def __init__(
        self,
        bootstrap: Path,
        environment: Mapping[str, str],
        output: IO[Any] | int,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self._start = lambda: Sandbox(bootstrap, environment, output, timeout)
        self._line = ThreadPoolExecutor(max_workers=1)
        self.sandbox = self._start()

    def __enter__(self) -> LocalLambda:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def invoke(self, payload: bytes) -> Answer:
        return self._line.submit(self._invoke_alone, payload).result()

    def stop(self) -> None:
        # The line is closed first, or whoever stands in it would start the function again.
        self._line.shutdown(wait=False, cancel_futures=True)
        self.sandbox.stop()
        self._line.shutdown()

    def _invoke_alone(self, payload: bytes) -> Answer:
        if not self.sandbox.alive:
            self.sandbox.stop()
            self.sandbox = self._start()
        return self.sandbox.invoke(payload)


def runtime_api(sandbox: Sandbox) -> type[QuickHandler]:
    """The side that the function talks to: /2018-06-01/runtime/…"""

    class RuntimeApi(QuickHandler):
        def do_GET(self) -> None:
            if self.path != f"{RUNTIME_PATH}/invocation/next":
                self.refuse(404, "NotFound", f"The Runtime API has no {self.path}")
                return
            invocation = sandbox.next_work()
            if invocation is None:
                self.close_connection = True
                return
            deadline = int((time.time() + sandbox.timeout) * 1000)
            self.reply(
                200,
                invocation.payload,
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.id,
                    "Lambda-Runtime-Deadline-Ms": str(deadline),
                    "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
                    "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
                },
            )

        def do_POST(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                self.close_connection = True
                self.refuse(411, "LengthRequired", "Streamed answers are not served here: send a Content-Length")
                return
            body = self.body()
            if self.path == f"{RUNTIME_PATH}/init/error":
                sandbox.accept_init_error(body)
                self.reply(202, b'{"status":"OK"}')
                return
            what = {"response": "answered", "error": "failed"}.get(self.path.rpartition("/")[2])
            parts = self.path.removeprefix(f"{RUNTIME_PATH}/invocation/").split("/")
            if what is None or len(parts) != 2:
                self.refuse(404, "NotFound", f"The Runtime API has no {self.path}")
            elif sandbox.accept(what, parts[0], body):
                self.reply(202, b'{"status":"OK"}')
            else:
                self.refuse(400, "InvalidRequestID", "Invalid request ID")

    return RuntimeApi


def invoke_api(function: LocalLambda) -> type[QuickHandler]:
    """The side that callers talk to: Lambda's Invoke, synchronous alone."""

    class InvokeApi(QuickHandler):
        def do_POST(self) -> None:
            body = self.body() or b"{}"
            if urlsplit(self.path).path != INVOKE_PATH:
                self.refuse(404, "ResourceNotFoundException", f"Only {INVOKE_PATH} is served here")
            elif self.headers.get("X-Amz-Invocation-Type", "RequestResponse") != "RequestResponse":
                self.refuse(400, "InvalidParameterValueException", "Only RequestResponse is served here")
            elif not is_json(body):
                self.refuse(400, "InvalidRequestContentException", "Could not parse request body into json")
            else:
                self._invoke(body)

        def _invoke(self, body: bytes) -> None:
            try:
                answer = function.invoke(body)
            except FunctionDied as error:
                answer = Answer(error_body("Runtime.InvalidEntrypoint", str(error)), failed=True)
            except CancelledError:
                self.close_connection = True
                return
            headers = {"X-Amz-Executed-Version": "$LATEST"}
            if answer.failed:
                headers["X-Amz-Function-Error"] = "Unhandled"
            self.reply(200, answer.body, headers)

    return InvokeApi


def function_environment(environment: Mapping[str, str], runtime_address: str) -> dict[str, str]:
    """What the function sees. A certificate bundle that is set for the outside world has no business on loopback."""
    kept = {name: value for name, value in environment.items() if name != "AWS_CA_BUNDLE"}
    return {**LAMBDA_ENVIRONMENT, **kept, "AWS_LAMBDA_RUNTIME_API": runtime_address}


def error_body(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def serve_until_stdin_closes(bootstrap: Path, output: IO[Any], timeout: float) -> None:
    with LocalLambda(bootstrap, os.environ, output, timeout) as function:
        function.sandbox.wait_until_ready()
        server = LoopbackServer(invoke_api(function))
        first_line = {"invoke": f"http://{server.address}{INVOKE_PATH}", "pid": function.sandbox.process.pid}
        print(json.dumps(first_line), flush=True)
        sys.stdin.buffer.read()
        server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description="Serves one Lambda function on a loopback port until stdin is closed.")
    parser.add_argument("--bootstrap", type=Path, required=True, help="the function's binary")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT_SECONDS, help="seconds for one invocation")
    parser.add_argument("--log", type=Path, help="where the function's output goes; stderr if not given")
    options = parser.parse_args()
    output: IO[Any] = options.log.open("ab") if options.log else sys.stderr
    return program.run(
        "local_lambda", lambda: serve_until_stdin_closes(options.bootstrap, output, options.timeout)
    )


if __name__ == "__main__":
    sys.exit(main())
