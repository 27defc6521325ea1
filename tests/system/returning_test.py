#!/usr/bin/env python3
"""Durable subscribers that were away return all at once, after a kill -9, and read what they missed,
while a busy durable one goes on. Everybody gets everything once and in order, the busy one as well;
the broker's memory does not depend on how much is read back. With PABAL_FULL_SIZE there are 10,000 of
them, and the figures printed are those of tests/bench/RESULTS.md.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import broker as support  # noqa: E402
import stomp_client  # noqa: E402

FULL = bool(os.environ.get('PABAL_FULL_SIZE'))
SUBSCRIBERS = int(os.environ.get('PABAL_SUBSCRIBERS', 10_000 if FULL else 300))
MESSAGES = 100
SIZE = 1024
AT_A_TIME = 200  # that make their subscriptions
# What a connection with a subscription may take, and the broker with its window beside that.
CONNECTION_BYTES = 24 << 10
BROKER_BYTES = 160 << 20
LIVE_BYTES = 64 << 10


def subscribe_frames(number):
    """CONNECT and SUBSCRIBE in one write, as a client in a hurry sends them."""
    return stomp_client.encode('CONNECT', {'accept-version': '1.2', 'host': 'localhost',
                                           'client-id': f'returning-{number}'}) + \
        stomp_client.encode('SUBSCRIBE', {'id': '0', 'destination': '/topic/returning',
                                          'activemq.subscriptionName': 'mine', 'ack': 'auto',
                                          'receipt': 'made'})


class Subscriber(asyncio.Protocol):
    """Counts its messages and looks at their order: the numbers of one producer ascend by one."""

    def __init__(self, number, wanted):
        self.number = number
        self.wanted = wanted
        self.done = asyncio.get_running_loop().create_future()
        self.got = 0
        self._made = False
        self._rest = b''
        self._transport = None

    def connection_made(self, transport):
        self._transport = transport
        transport.write(subscribe_frames(self.number))

    def data_received(self, data):
        *frames, self._rest = (self._rest + data).split(b'\0')
        for frame in frames:
            frame = frame.lstrip(b'\n')
            if frame.startswith(b'MESSAGE'):
                # A body of `pabal bench`: its number stands at column 28 in 12 hexadecimal digits.
                body = frame[frame.index(b'\n\n') + 2:]
                assert number_of(body) == self.got, (self.number, self.got, body[:64])
                self.got += 1
            elif frame.startswith(b'RECEIPT'):
                self._made = True
            else:
                assert frame.startswith(b'CONNECTED'), frame[:500]
        if self._made and self.got == self.wanted and not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, error):
        if not self.done.done():
            self.done.set_exception(AssertionError(
                f'subscriber {self.number} lost its connection after {self.got}: {error}'))

    def leave(self):
        self._transport.write(stomp_client.encode('DISCONNECT', {}))
        self._transport.close()


def number_of(body):
    assert body.startswith(b'pabal-bench '), body[:64]
    return int(body[28:40], 16)


async def meet(port, numbers, wanted):
    """Subscribers `numbers`, connected at once, until each has what it wants."""
    loop = asyncio.get_running_loop()
    subscribers = [Subscriber(number, wanted) for number in numbers]
    await asyncio.gather(*(loop.create_connection(lambda each=each: each, '127.0.0.1', port)
                           for each in subscribers))
    await asyncio.wait_for(asyncio.gather(*(each.done for each in subscribers)), 1200)
    return subscribers


async def make(port):
    for first in range(0, SUBSCRIBERS, AT_A_TIME):
        for each in await meet(port, range(first, min(first + AT_A_TIME, SUBSCRIBERS)), 0):
            each.leave()


def bench(broker, *arguments):
    command = [support.program(), 'bench', '--url', broker.stomp_url, '--json', '--quiet',
               '--timeout', '600', '--size', str(SIZE), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def figures(process):
    out, error = process.communicate()
    result = json.loads(out) if out else {}
    assert result.get('good'), f'{process.args}: {out}{error}'
    return result


def busy_for(broker, what):
    """The busy one and its producer run while `what` does; what it answers, and their figures."""
    before = enqueued(broker)
    busy = bench(broker, '-d', '/topic/busy', '--durable', '-c', 1, '-p', 1, '--rate', 500,
                 '--duration', 3600)
    try:
        # Nobody else sends.
        support.wait_for(lambda: enqueued(broker) > before, 'the busy one to begin')
        before = enqueued(broker)
        answer = what()
        assert enqueued(broker) > before, 'its producer was held all the time'
    except BaseException:
        busy.kill()
        raise
    busy.send_signal(signal.SIGTERM)
    return answer, figures(busy)


def enqueued(broker):
    return broker.get_json('/api/status')['engine']['totals']['enqueued']


def peak_bytes(broker):
    with open(f'/proc/{broker.pid}/status', encoding='ascii') as status:
        for line in status:
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    raise AssertionError('no VmHWM')


def report(name, result):
    latency = result['latency_ms']
    print(f'{name}: the busy one {result["messages_per_second"]:.0f}/s, p50 {latency["p50"]:.2f}, '
          f'p99 {latency["p99"]:.2f}, max {latency["max"]:.0f} ms', flush=True)


def main():
    with support.Broker() as broker:
        asyncio.run(make(broker.ports['stomp']))
        figures(bench(broker, '-d', '/topic/returning', '-c', 0, '-p', 1, '-n', MESSAGES))
        broker.kill()
        began = time.monotonic()
        broker.start()
        print(f'{SUBSCRIBERS:,} durable subscriptions: ready after kill -9 in '
              f'{time.monotonic() - began:.2f} s', flush=True)
        if FULL:
            _, alone = busy_for(broker, lambda: time.sleep(10))
            report('alone', alone)

        def come_back():
            start = time.monotonic()
            subscribers = asyncio.run(meet(broker.ports['stomp'], range(SUBSCRIBERS), MESSAGES))
            return subscribers, time.monotonic() - start

        (subscribers, seconds), beside = busy_for(broker, come_back)
        total = sum(each.got for each in subscribers)
        assert total == SUBSCRIBERS * MESSAGES
        print(f'{SUBSCRIBERS:,} returned and read {total:,} messages in {seconds:.1f} s', flush=True)
        report('while they returned', beside)
        peak = peak_bytes(broker)
        print(f'resident at most {peak / 1e6:.0f} MB', flush=True)
        # A sanitizer takes several times as much.
        if not os.environ.get('PABAL_SANITIZE'):
            assert peak < BROKER_BYTES + SUBSCRIBERS * CONNECTION_BYTES
        # Nobody needs them any more.
        support.wait_for(
            lambda: broker.get_json('/api/status')['store']['bytesLive'] < LIVE_BYTES,
            'what everybody has read to go')
        assert broker.terminate() == 0


if __name__ == '__main__':
    main()
