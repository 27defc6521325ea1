"""OpenWire in the comparison: ActiveMQ and Pabal under the stock Java client, what each row runs, what
Pabal has to reach, and the table. Messages of 1 KB. The client's own limit, and what moving the bytes costs
at least, are taken against a peer that answers, passes on and forgets (openwire_relay.cc): where Pabal
reaches 80 % of its rate, the client is measured and not the broker."""

import os
import select
import socket
import subprocess
import time

import compare_brokers

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS, SECONDS_QUICK = 10, 3
WARM_UP, WARM_UP_QUICK = 12, 3  # The client's virtual machine and ActiveMQ's have to compile.
PEERS = (('activemq', 'ActiveMQ'), ('pabal', 'Pabal'), ('relay', 'relay'))
SIZE = 1024
CLASS_PATH = ':'.join(f'/usr/share/java/{word}.jar' for word in (
    'activemq-client', 'geronimo-jms_1.1_spec', 'geronimo-j2ee-management-1.1-spec', 'hawtbuf',
    'slf4j-api', 'slf4j-nop'))


# --- brokers -------------------------------------------------------------------------------------


class ActiveMQ(compare_brokers.ActiveMQ):
    def __init__(self, directory):
        super().__init__(directory)
        self.openwire_port = compare_brokers.free_port()

    def prepare(self):
        super().prepare()
        path = f'{self.directory}/conf/activemq.xml'
        with open(path) as file:
            text = file.read()
        with open(path, 'w') as file:
            file.write(text.replace('tcp://127.0.0.1:0', f'tcp://127.0.0.1:{self.openwire_port}'))


class Pabal(compare_brokers.Pabal):
    def __init__(self, directory, program):
        super().__init__(directory, program)
        self.openwire_port = compare_brokers.free_port()

    def command(self):
        return [word.replace('openwire.port=off', f'openwire.port={self.openwire_port}')
                for word in super().command()]


class Relay(compare_brokers.Broker):
    name = 'relay'
    ready_timeout = 10

    def __init__(self, directory):
        super().__init__(directory)
        self.openwire_port = self.port

    def prepare(self):
        super().prepare()
        subprocess.run(['g++', '-O2', '-std=c++20', '-o', f'{self.directory}/relay',
                        f'{HERE}/openwire_relay.cc'], check=True)

    def command(self):
        return [f'{self.directory}/relay', str(self.port)]

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=1):
                return True
        except OSError:
            return False

    def version(self):
        return 'openwire_relay.cc'


def available(peer):
    return os.path.exists('/usr/share/java/activemq-client.jar')


def cpu_seconds(root):
    """What a process and its descendants have used so far."""
    ticks = 0
    for process in compare_brokers.family(root):
        try:
            with open(f'/proc/{process}/stat') as stat:
                fields = stat.read().rsplit(')', 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


# --- rows ----------------------------------------------------------------------------------------


class OpenWireRate:
    """Messages per second that were sent and received, and what they cost the broker."""

    kind = 'openwire-rate'
    repeat = 3

    def __init__(self, name, title, mode, pairs, faster, cheaper):
        self.name, self.title, self.mode, self.pairs = name, title, mode, pairs
        self.faster, self.cheaper = faster, cheaper
        self.peers = [peer for peer, _ in PEERS]

    def broker(self, peer, directory, program):
        if peer == 'relay':
            return Relay(directory)
        return Pabal(directory, program) if peer == 'pabal' else ActiveMQ(directory)

    def commands(self, quick):
        return {'command': f'java OpenWireLoad.java URL {self.mode} {self.pairs} {SIZE}'}

    def run(self, comparison, broker, quick):
        broker.start()
        url = f'tcp://127.0.0.1:{broker.openwire_port}'
        classes = os.path.join(broker.directory, 'classes')
        subprocess.run(['javac', '-d', classes, '-cp', CLASS_PATH, f'{HERE}/OpenWireLoad.java'],
                       check=True)
        load = subprocess.Popen(
            ['java', '-Xms256m', '-Xmx256m', '-XX:+UseSerialGC', '-cp', f'{classes}:{CLASS_PATH}',
             'OpenWireLoad', url, self.mode, str(self.pairs), str(SIZE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if answer(load) != 'ready\n':
                raise RuntimeError('the load did not begin')
            time.sleep(WARM_UP_QUICK if quick else WARM_UP)
            before, began = cpu_seconds(broker.pid), time.monotonic()
            tell(load)
            time.sleep(SECONDS_QUICK if quick else SECONDS)
            tell(load)
            seconds = time.monotonic() - began
            counts = answer(load).split()
            used = cpu_seconds(broker.pid) - before
            memory = compare_brokers.resident_bytes(broker.pid)
        finally:
            load.kill()
            load.wait()
        if len(counts) != 2:
            raise RuntimeError('the load failed')
        done = int(counts[1])
        cpu = used / max(done, 1) * 1e6
        rate = done / seconds
        return {'key': rate, 'rate': rate, 'cpu': cpu, 'memory': memory / 1024 / 1024, 'good': done > 0,
                'text': f'{rate:9.0f}/s  {cpu:7.1f} µs CPU  {memory / 1024 / 1024:6.0f} MB'}


def answer(load):
    """A line of the load's; nothing when it has ended or says nothing for a minute."""
    ready, _, _ = select.select([load.stdout], [], [], 60)
    return load.stdout.readline() if ready else ''


def tell(load):
    load.stdin.write('\n')
    load.stdin.flush()


ROWS = [
    OpenWireRate('openwire-sync', 'persistent, each send waits, 1 → 1', 'sync', 1, 1.5, 3),
    OpenWireRate('openwire-transacted', 'persistent, 100 to a transaction, 1 → 1', 'transacted', 1,
                 2.5, 8),
    OpenWireRate('openwire-async', 'not persistent, 1 → 1', 'async', 1, 1.5, 8),
    OpenWireRate('openwire-pairs', 'persistent, each send waits, ten pairs', 'sync', 10, 3, 8),
]


# --- the table -----------------------------------------------------------------------------------


def cell(result):
    if result is None:
        return '–'
    if 'error' in result:
        return 'failed'
    text = f'{result["rate"] / 1e3:.1f} k/s; {result["cpu"]:.1f} µs; {result["memory"]:.0f} MB'
    return text + (' *' if result.get('quick') else '')


def judge(row, results):
    """What is said about Pabal's figures, and whether they are as wanted."""
    pabal, peer, relay = (results.get(name) for name in ('pabal', 'activemq', 'relay'))
    if not pabal or not peer or 'error' in pabal or 'error' in peer:
        return '', ''
    faster, cheaper = pabal['rate'] / peer['rate'], peer['cpu'] / max(pabal['cpu'], 0.001)
    smaller = peer['memory'] / max(pabal['memory'], 0.001)
    of_limit = pabal['rate'] / relay['rate'] if relay and 'error' not in relay else 0
    short = [word for word, met in (
        ('rate', faster >= row.faster or of_limit >= 0.8),
        ('CPU', cheaper >= row.cheaper), ('memory', smaller >= 10)) if not met]
    words = (f'{faster:.1f} × ActiveMQ (≥ {row.faster}), {cheaper:.1f} × less CPU (≥ {row.cheaper}), '
             f'{smaller:.0f} × less memory (≥ 10)')
    if of_limit:
        words += f'; {of_limit:.0%} of the relay'
    return words, 'short: ' + ', '.join(short) if short else 'met'


def table(figures):
    rows = [row for row in ROWS if row.name in figures]
    if not rows:
        return []
    versions = figures.get('versions', {})
    lines = ['', '## The stock ActiveMQ client over OpenWire', '',
             f'Messages of {SIZE} B. Versions: '
             + '; '.join(versions.get('openwire-' + peer, name) for peer, name in PEERS) + '.', '',
             'Cells: messages per second that were sent and received; CPU of the broker for each; its',
             'resident memory at the end. The relay passes messages on and keeps nothing: what the client can do',
             'at most, and what moving the bytes costs at least. Medians of three runs.', '',
             '| scenario | ' + ' | '.join(name for _, name in PEERS) + ' | Pabal is (wanted) | |',
             '|---' * (len(PEERS) + 3) + '|']
    for row in rows:
        words, met = judge(row, figures[row.name])
        cells = [cell(figures[row.name].get(peer)) for peer, _ in PEERS]
        lines.append(f'| {row.title} | ' + ' | '.join(cells) + f' | {words} | {met} |')
    return lines
