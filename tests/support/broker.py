"""Starts the real program for a test, and sees to it that nothing is left behind.

    with Broker() as broker:
        client = broker.connect()          # stomp_client.Client
        broker.kill()                      # kill -9
        broker.start()                     # the same data directory, other ports

The program is $PABAL (ctest sets it). Every port is a free one on the loopback; the data directory is
a temporary one unless given. If the test itself is killed, the kernel kills the broker.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import stomp_client

SOURCE_DIR = os.environ.get(
    'PABAL_SOURCE_DIR', os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
STOCK = os.path.join(SOURCE_DIR, 'conf', 'pabal.xml')

# Generous: a loaded two-core machine under a sanitizer. Nothing waits that long when all is well.
START_SECONDS = 120
STOP_SECONDS = 60
WAIT_SECONDS = 60

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def program():
    """Path of the pabal under test."""
    path = os.environ.get('PABAL') or os.path.join(SOURCE_DIR, 'build', 'release', 'pabal')
    if not os.access(path, os.X_OK):
        raise RuntimeError(f'no program at {path}: set PABAL, or build it')
    return path


def stock_with(**attributes):
    """The text of the stock configuration with some attributes changed: requestTimeout=1000."""
    with open(STOCK, encoding='utf-8') as file:
        text = file.read()
    for name, value in attributes.items():
        text, count = re.subn(rf'(\n\s+{name}=)"[^"]*"', rf'\1"{value}"', text)
        assert count == 1, f'{count} times {name} in {STOCK}'
    return text


def run(*arguments, input=None, timeout=WAIT_SECONDS):
    """Runs `pabal arguments…` to its end; answers subprocess.CompletedProcess with text output."""
    return subprocess.run([program(), *map(str, arguments)], input=input, capture_output=True,
                          text=True, timeout=timeout, check=False)


def wait_for(condition, what, seconds=WAIT_SECONDS):
    """Calls `condition` until it answers something true, which is returned. For conditions that can
    only be asked for, such as a counter behind HTTP."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f'waited {seconds} s in vain for {what}')
        time.sleep(0.02)


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """One broker process at a time on one data directory. Start it from the main thread: the kernel
    ties the broker's life to the thread that started it."""

    def __init__(self, config=None, data=None, options=None, start=True):
        self._own_directory = tempfile.mkdtemp(prefix='pabal-test-')
        self.data = data or os.path.join(self._own_directory, 'data')
        self.config = config or STOCK
        self.log_path = os.path.join(self._own_directory, 'log')
        # Where MQTT can be spoken, mqtt and ws, the $SYS topics count among messages.
        self.options = {'stomp.port': 0, 'ws.port': 'off', 'http.port': 0, 'openwire.port': 'off',
                        'mqtt.port': 'off', **(options or {})}
        self.ready_line = ''
        self.ports = {}
        self._process = None
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    # --- life ------------------------------------------------------------------------------------

    def command_line(self):
        defines = [f'-D{name}={value}' for name, value in self.options.items()]
        return [program(), 'serve', '-c', self.config, '-d', self.data, *defines]

    def environment(self):
        """What the process gets beside the environment of the test."""
        return {}

    def start(self):
        """Starts the process and returns when it says that every listener accepts."""
        self._spawn()
        self.ready_line = self._read_ready_line()
        self.ports = {name: int(port) for name, port in
                      re.findall(r'([\w.]+)=(?:[\w.\[\]:]*:)?(\d+)', self.ready_line)}
        return self

    def start_and_kill(self, seconds):
        """Starts the process and kills it after so long, whatever it is doing then."""
        self._spawn()
        time.sleep(seconds)
        self.kill()

    def _spawn(self):
        assert self._process is None, 'already running'
        with open(self.log_path, 'ab') as log:
            self._process = subprocess.Popen(
                self.command_line(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                preexec_fn=die_with_parent, env={**os.environ, **self.environment()})

    def _read_ready_line(self):
        stdout = self._process.stdout
        deadline = time.monotonic() + START_SECONDS
        text = b''
        while b'\n' not in text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise AssertionError(f'not ready after {START_SECONDS} s\n{self.log_tail()}')
            chunk = os.read(stdout.fileno(), 4096)
            if not chunk:
                code = self._process.wait(STOP_SECONDS)
                raise AssertionError(f'ended with {code} before it was ready\n{self.log_tail()}')
            text += chunk
        line = text.decode().splitlines()[0]
        assert line.startswith('pabal ready'), f'instead of "pabal ready": {line!r}'
        return line

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def kill(self):
        """kill -9."""
        self._process.kill()
        self._reap()

    def terminate(self):
        """SIGTERM; answers the exit code."""
        self._process.terminate()
        return self._reap()

    def wait(self, seconds=STOP_SECONDS):
        """Waits for the process to end by itself; answers the exit code."""
        return self._reap(seconds)

    def _reap(self, seconds=STOP_SECONDS):
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'still running after {seconds} s\n{self.log_tail()}') from None
        self._process.stdout.close()
        self._process = None
        return code

    def close(self):
        """Kills what still runs and removes what this object made."""
        if self._process is not None:
            self.kill()
        report = self._sanitizer_report()
        shutil.rmtree(self._own_directory, ignore_errors=True)
        assert not report, report

    def _sanitizer_report(self):
        """What a sanitizer has found in a broker that then was killed, or went on. Of a data race it
        is all that there is to be seen."""
        with contextlib.suppress(OSError), open(self.log_path, errors='replace') as log:
            text = log.read()
            for mark in ('WARNING: ThreadSanitizer', 'ERROR: AddressSanitizer', 'runtime error:'):
                if mark in text:
                    return text[text.index(mark):][:8000]
        return ''

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(f'--- log of the broker ---\n{self.log_tail()}', flush=True)
        self.close()

    # --- views -----------------------------------------------------------------------------------

    def log_tail(self, bytes_max=4000):
        with contextlib.suppress(OSError), open(self.log_path, 'rb') as log:
            log.seek(max(0, os.path.getsize(self.log_path) - bytes_max))
            return log.read().decode(errors='replace')
        return ''

    def connect(self, **headers):
        """A STOMP connection of our own client; see stomp_client.Client."""
        return stomp_client.Client(self.ports['stomp'], **headers)

    @property
    def stomp_url(self):
        return f'stomp://127.0.0.1:{self.ports["stomp"]}'

    @property
    def http_url(self):
        return f'http://127.0.0.1:{self.ports["http"]}'

    def get(self, path):
        """Status and text of an HTTP GET."""
        try:
            with urllib.request.urlopen(self.http_url + path, timeout=WAIT_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get_json(self, path):
        return json.loads(self.get(path)[1])

    def resident_bytes(self):
        with open(f'/proc/{self.pid}/statm', encoding='ascii') as statm:
            return int(statm.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def data_bytes(self):
        """What the data directory occupies on disk (allocated blocks, not file lengths)."""
        total = 0
        for folder, _, files in os.walk(self.data):
            for file in files:
                with contextlib.suppress(FileNotFoundError):
                    total += os.stat(os.path.join(folder, file)).st_blocks * 512
        return total
