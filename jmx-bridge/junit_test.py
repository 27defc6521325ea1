#!/usr/bin/env python3
"""Runs JUnit classes against a broker of their own, which they may kill and start again.

    junit_test.py [--activemq] CLASSPATH CLASS...

The tests get $PABAL_TEST_PORT (of STOMP), $PABAL_TEST_OPENWIRE (of OpenWire; only of a Pabal), and
$PABAL_TEST_CONTROL: a port that takes the lines `kill` (kill -9) and
`start` (the same data and port) and answers each with `ok` when it is done. With --activemq the broker
is an ActiveMQ, which $PABAL_TEST_PEER says.
"""

import os
import random
import select
import shutil
import socket
import subprocess
import sys
import tempfile

from broker import START_SECONDS, Broker, die_with_parent

# Small and quick to start: these machines run several of them beside each other.
JAVA = ['java', '-XX:+UseSerialGC', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-ea']


def steady_port():
    """A free port below those that connections get: nobody else takes it while the broker is down."""
    for _ in range(100):
        port = random.randint(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(('127.0.0.1', port))
                return port
            except OSError:
                continue
    raise RuntimeError('no free port')


class ActiveMq:
    """The part of Broker's interface that is needed here."""

    def __init__(self, classpath, port):
        self._classpath = classpath
        self._port = port
        self._directory = tempfile.mkdtemp(prefix='pabal-activemq-')
        self._process = None

    def start(self):
        log = os.path.join(self._directory, 'log')
        with open(log, 'ab') as errors:
            self._process = subprocess.Popen(
                [*JAVA, '-cp', self._classpath, 'org.pabal.jms.ActiveMqBroker', self._directory,
                 str(self._port)], stdout=subprocess.PIPE, stderr=errors,
                preexec_fn=die_with_parent)
        ready = select.select([self._process.stdout], [], [], START_SECONDS)[0]
        if not ready or self._process.stdout.readline() != b'ready\n':
            with open(log, encoding='utf-8', errors='replace') as text:
                raise AssertionError('ActiveMQ did not start:\n' + text.read()[-4000:])

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)


def obey(peer, broker):
    """The commands of one connection. Here, in the main thread, to which the broker's life is tied."""
    with peer, peer.makefile('rw') as lines:
        for line in lines:
            {'kill': broker.kill, 'start': broker.start}[line.strip()]()
            lines.write('ok\n')
            lines.flush()


def main():
    arguments = sys.argv[1:]
    activemq = arguments[0] == '--activemq'
    classpath, *classes = arguments[activemq:]
    port, openwire = steady_port(), steady_port()
    options = {'stomp.port': port, 'openwire.port': openwire}
    with ActiveMq(classpath, port) if activemq else Broker(options=options) as broker, \
            socket.create_server(('127.0.0.1', 0)) as control:
        environment = {**os.environ, 'PABAL_TEST_PORT': str(port),
                       'PABAL_TEST_CONTROL': str(control.getsockname()[1])}
        if activemq:
            environment['PABAL_TEST_PEER'] = 'activemq'
        else:
            environment['PABAL_TEST_OPENWIRE'] = str(openwire)
        java = subprocess.Popen([*JAVA, '-cp', classpath, 'org.junit.runner.JUnitCore', *classes],
                                env=environment, preexec_fn=die_with_parent)
        try:
            while java.poll() is None:
                if select.select([control], [], [], 0.1)[0]:
                    obey(control.accept()[0], broker)
            assert java.returncode == 0, f'JUnit ended with {java.returncode}'
        finally:
            if java.poll() is None:
                java.kill()
                java.wait()


if __name__ == '__main__':
    main()
