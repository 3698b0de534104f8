"""Tests of local_lambda.py: what a function and its callers may rely on. The function is a few lines of Python here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

FUNCTION = f"""#!{sys.executable}
import http.client, json, os, sys, time
if os.environ.get("REFUSE"):
    print("one sentence that says what to do", file=sys.stderr)
    sys.exit(3)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/" + path, body)
    answer = api.getresponse()
    return answer.status, dict(answer.headers), answer.read()
while True:
    _, headers, body = call("GET", "invocation/next")
    event, id = json.loads(body), headers["Lambda-Runtime-Aws-Request-Id"]
    if "exit" in event:
        os._exit(event["exit"])
    time.sleep(event.get("sleep", 0))
    if "fail" in event:
        call("POST", f"invocation/{{id}}/error", json.dumps(event["fail"]))
        continue
    status, _, _ = call("POST", "invocation/another/response", "null") if "forge" in event else (202, None, None)
    call("POST", f"invocation/{{id}}/response", json.dumps({{"event": event, "headers": headers, "status": status}}))
"""


class LocalLambdaTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bootstrap = folder / "bootstrap"
        self.bootstrap.write_text(FUNCTION)
        self.bootstrap.chmod(0o755)
        self.log = folder / "log"

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "local_lambda.py"), "--bootstrap", str(self.bootstrap)]
        command += ["--log", str(self.log), *options]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def serve(self, *options: str) -> subprocess.Popen[str]:
        process = self.start(*options)
        assert process.stdout
        first_line = json.loads(process.stdout.readline())
        self.url, self.pid = first_line["invoke"], first_line["pid"]
        return process

    def invoke(self, event: Any, **headers: str) -> tuple[int, str | None, Any]:
        request = urllib.request.Request(self.url, json.dumps(event).encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers["X-Amz-Function-Error"], json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None, json.load(error)

    def test_an_answer_comes_back_as_it_is(self) -> None:
        self.serve("--timeout", "7")
        before = time.time()
        status, function_error, answer = self.invoke({"key": "ü"})
        self.assertEqual((status, function_error, answer["event"]), (200, None, {"key": "ü"}))
        headers = answer["headers"]
        self.assertAlmostEqual(int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000, before + 7, delta=2)
        self.assertTrue(headers["Lambda-Runtime-Invoked-Function-Arn"].startswith("arn:aws:lambda:"))
        self.assertTrue(headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-"))

    def test_an_error_of_the_function_is_its_own_words(self) -> None:
        self.serve()
        error = {"errorType": "Refused", "errorMessage": "no"}
        self.assertEqual(self.invoke({"fail": error}), (200, "Unhandled", error))
        self.assertIsNone(self.invoke({})[1])

    def test_a_dead_function_is_an_error_and_is_started_again(self) -> None:
        self.serve()
        status, function_error, answer = self.invoke({"exit": 4})
        self.assertEqual((status, function_error, answer["errorType"]), (200, "Unhandled", "Runtime.ExitError"))
        self.assertIn("exit status 4", answer["errorMessage"])
        self.assertIsNone(self.invoke({})[1])

    def test_a_slow_function_is_stopped_and_started_again(self) -> None:
        self.serve("--timeout", "0.3")
        status, function_error, answer = self.invoke({"sleep": 30})
        self.assertEqual((status, function_error, answer["errorType"]), (200, "Unhandled", "Sandbox.Timedout"))
        self.assertIsNone(self.invoke({})[1])

    def test_one_at_a_time_and_the_others_wait(self) -> None:
        self.serve()
        answers: list[str | None] = []
        callers = [threading.Thread(target=lambda: answers.append(self.invoke({"sleep": 0.2})[1])) for _ in range(3)]
        started = time.monotonic()
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertEqual(answers, [None, None, None])
        self.assertGreaterEqual(time.monotonic() - started, 0.6)

    def test_an_answer_to_another_invocation_is_refused(self) -> None:
        self.serve()
        self.assertEqual(self.invoke({"forge": True})[2]["status"], 400)

    def test_what_is_not_served_is_refused(self) -> None:
        self.serve()
        self.assertEqual(self.invoke({}, **{"X-Amz-Invocation-Type": "Event"})[0], 400)

    def test_a_function_that_refuses_to_start(self) -> None:
        process = self.start(REFUSE="1")
        out, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertEqual(err, "local_lambda: the function ended before it asked for work (exit status 3)\n")
        self.assertEqual(self.log.read_text(), "one sentence that says what to do\n")

    def test_the_function_ends_when_stdin_closes(self) -> None:
        process = self.serve()
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0)
        with self.assertRaises(ProcessLookupError):
            os.kill(self.pid, 0)


if __name__ == "__main__":
    unittest.main()
