"""Brokers for tests of bridges: a Pabal with a networkConnector, and Mosquitto. Each keeps its port over
its restarts, because the other side has it in its configuration."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from broker import SOURCE_DIR, STOP_SECONDS, WAIT_SECONDS, Broker, die_with_parent, wait_for

FAST = 'initialReconnectDelay=20&maxReconnectDelay=200'


def free_port():
    """One that stays free while its broker is away: the kernel gives none below its ephemeral ones to
    somebody who connects."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(('127.0.0.1', port))
            return port


def connector(port, routes, name='b', query=FAST, attributes=''):
    """The text of a networkConnector; `routes`: '<pabalOut topic="…"/>' and the like."""
    query = query.replace('&', '&amp;')
    return (f'<networkConnector name="{name}" uri="mqtt://127.0.0.1:{port}?{query}" {attributes}>'
            f'{routes}</networkConnector>')


class BridgedBroker(Broker):
    """A Pabal whose MQTT port stays the same."""

    def __init__(self, connectors='', port=None, start=True):
        super().__init__(options={'mqtt.port': port or free_port()}, start=False)
        with open(os.path.join(SOURCE_DIR, 'conf', 'pabal.xml'), encoding='utf-8') as file:
            text = file.read()
        assert text.count('</broker>') == 1
        self.config = os.path.join(self._own_directory, 'pabal.xml')
        self.port = self.options['mqtt.port']
        self._text = text
        self.configure(connectors)
        if start:
            self.start()

    def configure(self, connectors, change=lambda text: text):
        """Writes the configuration anew; `change`: what else is to be changed in its text."""
        text = change(self._text)
        if connectors:
            text = text.replace('</broker>',
                                f'<networkConnectors>{connectors}</networkConnectors></broker>')
        with open(self.config, 'w', encoding='utf-8') as file:
            file.write(text)

    def bridge(self, name='b'):
        """What the status says of a bridge."""
        for each in self.get_json('/api/status')['bridges']:
            if each['name'] == name:
                return each
        raise AssertionError(f'no bridge {name}')

    def wait_connected(self, name='b'):
        wait_for(lambda: self.bridge(name)['connected'], f'bridge {name}')

    def wait_forwarded(self, name='b'):
        """Until nothing waits for the bridge."""
        wait_for(lambda: self.bridge(name)['waiting'] == 0, f'what waits for bridge {name}')


class Mosquitto:
    """Debian's mosquitto with persistence, on the loopback."""

    def __init__(self, options='', start=True):
        self._directory = tempfile.mkdtemp(prefix='pabal-test-mosquitto-')
        self.port = free_port()
        self._config = os.path.join(self._directory, 'mosquitto.conf')
        self._process = None
        with open(self._config, 'w', encoding='utf-8') as file:
            file.write(f'listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n'
                       f'user root\npersistence_location {self._directory}/\nmax_queued_messages 0\n'
                       f'set_tcp_nodelay true\n{options}\n')
        if start:
            self.start()

    def start(self):
        assert self._process is None
        self._process = subprocess.Popen(
            [shutil.which('mosquitto') or '/usr/sbin/mosquitto', '-c', self._config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, 'mosquitto does not listen'
                time.sleep(0.02)

    def stop(self):
        """Orderly: it writes down what it knows."""
        self._end(signal.SIGTERM)

    def kill(self):
        self._end(signal.SIGKILL)

    def _end(self, how):
        self._process.send_signal(how)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def close(self):
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


class Listener:
    """A mosquitto_sub that has subscribed."""

    def __init__(self, port, *arguments):
        # stdbuf: or the line about the subscription would come with the end.
        self._process = subprocess.Popen(
            ['stdbuf', '-oL', 'mosquitto_sub', '-d', '-p', str(port), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)
        for line in self._process.stdout:
            if line.startswith('Subscribed'):
                return
        raise AssertionError('mosquitto_sub did not subscribe')

    def lines(self):
        """What it printed but for its debug lines, when it has ended (-C)."""
        text, _ = self._process.communicate(timeout=WAIT_SECONDS)
        return [line for line in text.splitlines()
                if not line.startswith(('Client ', 'Subscribed', 'Received '))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()


def publish(port, *arguments):
    subprocess.run(['mosquitto_pub', '-p', str(port), *map(str, arguments)], check=True,
                   timeout=WAIT_SECONDS)


def receive(port, *arguments):
    """Runs a mosquitto_sub to its end (-C, -W or -E) and answers what it printed."""
    done = subprocess.run(['mosquitto_sub', '-p', str(port), *map(str, arguments)],
                          capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
    assert done.returncode in (0, 27), done.stderr  # 27: -W was over
    return done.stdout.splitlines()
