#!/usr/bin/env python3
"""Runs classes of the Java suites (tests/interop/jms, tests/interop/openwire) against a broker.

    java_suite_test.py [--broker pabal|activemq|URL] [--client stock|pabal-jms] [--jar JAR]... CLASS...

A class is named as in its package below `interop`, for example jms.SessionTest. The tests need
nothing but the broker's URL, so that the real ActiveMQ can say whether they are right. A test that
wants the broker killed prints a line that begins with `@`; this script does it and answers.
"""

import argparse
import os
import subprocess
import sys
import threading

from broker import SOURCE_DIR
from java_broker import Running, broker_named

JAVA = '/usr/share/java'
SECONDS_MAX = 3500 if os.environ.get('PABAL_FULL_SIZE') else 600

STOCK = ['activemq-client', 'geronimo-j2ee-management-1.1-spec', 'hawtbuf', 'slf4j-api', 'slf4j-nop']
SPRING = ['spring3-jms', 'spring3-messaging', 'spring3-transaction', 'spring3-context',
          'spring3-beans', 'spring3-core', 'spring3-aop', 'spring3-expression', 'commons-logging',
          'aopalliance']
COMMON = ['geronimo-jms_1.1_spec', 'geronimo-jta-1.2-spec', 'junit4', 'hamcrest-core']
FACTORIES = {'stock': 'org.apache.activemq.ActiveMQConnectionFactory',
             'pabal-jms': 'org.pabal.jms.PabalConnectionFactory'}


def class_path(client, jars):
    words = COMMON + SPRING + (STOCK if client == 'stock' else [])
    return ':'.join(jars + [os.path.join(JAVA, word + '.jar') for word in words])


def command_line(broker, client, jars, classes):
    kill = 'false' if isinstance(broker, Running) else 'true'
    url = broker.openwire_url if client == 'stock' else broker.stomp_url
    return ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto',
            '-Djava.util.logging.config.file='
            + os.path.join(SOURCE_DIR, 'tests', 'interop', 'jms', 'logging.properties'),
            '-Dorg.apache.commons.logging.Log=org.apache.commons.logging.impl.Jdk14Logger',
            f'-Dbroker.url={url}', f'-Dbroker.kill={kill}',
            f'-Dbroker.name={broker.name}',
            f'-Dclient.factory={FACTORIES[client]}',
            '-cp', class_path(client, jars), 'interop.jms.Run',
            *[f'interop.{name}' for name in classes]]


def serve(process, broker):
    """Prints what the suite prints and does what it asks for; answers its exit code."""
    for line in process.stdout:
        if not line.startswith('@'):
            print(line, end='', flush=True)
            continue
        word = line[1:].strip()
        if word == 'kill':
            broker.kill()
        elif word == 'start':
            broker.start()
        elif word == 'restart':
            broker.kill()
            broker.start()
        else:
            raise AssertionError(f'the suite asks for {word!r}')
        process.stdin.write('done\n')
        process.stdin.flush()
    return process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--broker', default=os.environ.get('PABAL_JAVA_BROKER', 'pabal'))
    parser.add_argument('--client', default='stock', choices=FACTORIES)
    parser.add_argument('--jar', action='append', required=True, help='what is ours')
    parser.add_argument('classes', nargs='+', metavar='CLASS')
    arguments = parser.parse_args()
    with broker_named(arguments.broker) as broker:
        process = subprocess.Popen(command_line(broker, arguments.client, arguments.jar,
                                                arguments.classes),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        watchdog = threading.Timer(SECONDS_MAX, process.kill)
        watchdog.start()
        try:
            code = serve(process, broker)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
        assert code == 0, f'the suite ended with {code}'


if __name__ == '__main__':
    sys.exit(main())
