"""MQTT in the comparison: Mosquitto, FlashMQ where PABAL_FLASHMQ names its binary, and Pabal; what
each row runs, what Pabal has to reach, and the table. Clean sessions unless a row says otherwise;
messages of 64 bytes; TCP_NODELAY in every broker; a limit of messages in flight in all, for at QoS 0
nothing else keeps a producer from sending more than a broker takes."""

import os
import subprocess

import compare_brokers

SIZE = ['--size', '64']
SECONDS, SECONDS_QUICK = 10, 2
WARM_UP, WARM_UP_QUICK = 2, 1
IDLE = 10_000
OFFLINE, OFFLINE_QUICK = 300_000, 30_000
PEERS = (('mosquitto', 'Mosquitto'), ('flashmq', 'FlashMQ'), ('pabal', 'Pabal'))


# --- brokers -------------------------------------------------------------------------------------


class MqttBroker(compare_brokers.Broker):
    def bench_options(self):
        return ['--url', f'mqtt://127.0.0.1:{self.port}']

    def hello(self):
        return b'\x10\x11\0\4MQTT\4\2\0\0\0\5hello'

    welcome = b'\x20\2\0\0'


class Mosquitto(MqttBroker):
    """Debian's package. Its configuration but for the limits, without which it drops messages."""

    name = 'Mosquitto'
    binary = '/usr/sbin/mosquitto'

    def prepare(self):
        super().prepare()
        with open(f'{self.directory}/mosquitto.conf', 'w') as file:
            file.write(f'listener {self.port} 127.0.0.1\n'
                       'allow_anonymous true\n'
                       'set_tcp_nodelay true\n'
                       'max_inflight_messages 0\n'
                       'max_queued_messages 0\n'
                       'persistence true\n'
                       f'persistence_location {self.directory}/\n'
                       'log_type error\n')
            if os.geteuid() == 0:
                file.write('user root\n')  # or it may not write there

    def command(self):
        return [self.binary, '-c', f'{self.directory}/mosquitto.conf']

    def version(self):
        return 'Mosquitto ' + compare_brokers.package_version('mosquitto')


class FlashMQ(MqttBroker):
    name = 'FlashMQ'

    def prepare(self):
        super().prepare()
        with open(f'{self.directory}/flashmq.conf', 'w') as file:
            file.write('allow_anonymous true\n'
                       'tcp_nodelay true\n'
                       f'storage_dir {self.directory}\n'
                       f'log_file {self.directory}/flashmq.log\n'
                       'client_max_write_buffer_size 100000000\n'
                       'max_qos_msg_pending_per_client 65535\n'
                       'max_qos_bytes_pending_per_client 1000000000\n'
                       f'listen {{\n  protocol mqtt\n  port {self.port}\n'
                       '  inet4_bind_address 127.0.0.1\n}\n')

    def command(self):
        return [os.environ['PABAL_FLASHMQ'], '--config-file', f'{self.directory}/flashmq.conf']

    def version(self):
        done = subprocess.run([os.environ['PABAL_FLASHMQ'], '--version'], capture_output=True,
                              text=True)
        return (done.stdout.split('\n')[0] or 'FlashMQ').strip()


class PabalMqtt(MqttBroker, compare_brokers.Pabal):
    def command(self):
        return [self.program, 'serve', '-d', os.path.join(self.directory, 'data'),
                '-D', f'mqtt.port={self.port}', '-D', 'stomp.port=off', '-D', 'openwire.port=off',
                '-D', 'ws.port=off', '-D', f'http.port={self.http_port}']


def make_broker(peer, directory, program):
    if peer == 'mosquitto':
        return Mosquitto(directory)
    if peer == 'flashmq':
        return FlashMQ(directory)
    return PabalMqtt(directory, program)


def available(peer):
    if peer == 'mosquitto':
        return os.access(Mosquitto.binary, os.X_OK)
    return peer != 'flashmq' or 'PABAL_FLASHMQ' in os.environ


# --- rows ----------------------------------------------------------------------------------------


def verdict(result):
    words = [f'{name} {result[name]}'
             for name in ('missing', 'unconfirmed', 'duplicates', 'reordered', 'damaged')
             if result[name]]
    return ', '.join(words + ([result['failure']] if 'failure' in result else []))


class MqttRow:
    """`peers` and `broker` are what makes a row one of MQTT."""

    peers = [peer for peer, _ in PEERS]
    repeat = 1

    def broker(self, peer, directory, program):
        return make_broker(peer, directory, program)


class MqttRate(MqttRow):
    """Deliveries per second, and the broker's CPU for each, after a warm-up with the same options.
    `faster`: so many times Mosquitto's rate."""

    kind = 'mqtt-rate'
    repeat = 3

    def __init__(self, name, title, options, faster):
        self.name, self.title, self.options, self.faster = name, title, options, faster

    def bench_options(self, seconds):
        return [*SIZE, *self.options, '--duration', str(seconds)]

    def commands(self, quick):
        seconds = SECONDS_QUICK if quick else SECONDS
        return {'command': 'pabal bench --url mqtt://… ' + ' '.join(self.bench_options(seconds))}

    def run(self, comparison, broker, quick):
        broker.start()
        comparison.bench(broker, self.bench_options(WARM_UP_QUICK if quick else WARM_UP))
        result = comparison.bench(broker, self.bench_options(SECONDS_QUICK if quick else SECONDS))
        rate = result['messages_per_second']
        delivered = max(result['delivered'], 1)
        cpu = result['broker_process']['cpu_seconds'] * 1e6 / delivered
        own = result['generator_cpu_seconds_per_million'] * result['sent'] / delivered
        latency = result['latency_ms']
        text = (f'{rate:9.0f}/s  {cpu:6.2f} µs CPU (generator {own:.2f})  '
                f'p50 {latency["p50"]:.3f}  p99 {latency["p99"]:.3f} ms')
        if not result['good']:
            text += '  NOT GOOD ' + verdict(result)
        return {'key': rate, 'rate': rate, 'cpu': cpu, 'own_cpu': own, 'p50': latency['p50'],
                'p99': latency['p99'], 'good': result['good'], 'verdict': verdict(result),
                'text': text}


class MqttIdle(MqttRow):
    """Ten thousand clients that come at once, and what each costs."""

    kind = 'mqtt-idle'
    repeat = 3
    name, title = 'mqtt-idle', '10,000 clients connect at once; resident memory of each, idle'

    def commands(self, quick):
        return {'command': f'pabal bench --url mqtt://… --idle {IDLE}'}

    def run(self, comparison, broker, quick):
        broker.start()
        result = comparison.bench(broker, ['--idle', str(IDLE)], may_fail=True)['idle']
        return {'key': result['seconds'], 'seconds': result['seconds'],
                'each': result['resident_bytes_each'] / 1024, 'served': result['served'],
                'refused': result['refused'], 'cpu': result['broker_cpu_seconds'],
                'good': result['served'] == IDLE, 'verdict': f'{IDLE - result["served"]} not served',
                'text': f'{result["seconds"]:.2f} s, {result["refused"]} refused, '
                        f'{result["resident_bytes_each"] / 1024:.1f} KB each'}


class MqttOffline(MqttRow):
    """Messages of QoS 1 for a session that is away; the broker is killed; the session returns."""

    kind = 'mqtt-offline'
    name, title = 'mqtt-offline', '300,000 QoS 1 from ten producers for an offline session; kill -9'

    def count(self, quick):
        return OFFLINE_QUICK if quick else OFFLINE

    def fill(self, quick):
        return [*SIZE, '--durable', '--offline', '-p', '10', '-n', str(self.count(quick))]

    def drain(self, quick):
        return [*SIZE, '--durable', '-p', '0', '-n', str(self.count(quick)), '--timeout', '15']

    def commands(self, quick):
        return {'command': 'pabal bench --url mqtt://… ' + ' '.join(self.fill(quick))
                           + '; kill -9; start; pabal bench --url mqtt://… '
                           + ' '.join(self.drain(quick))}

    def run(self, comparison, broker, quick):
        broker.start()
        fill = comparison.bench(broker, self.fill(quick))
        broker.kill()
        broker.start()
        drain = comparison.bench(broker, self.drain(quick), may_fail=True)
        lost = fill['confirmed'] - drain['delivered']
        cpu = fill['broker_process']['cpu_seconds_per_million']
        return {'key': fill['messages_per_second'], 'rate': fill['messages_per_second'], 'cpu': cpu,
                'drain': drain['messages_per_second'], 'lost': lost,
                'text': f'{fill["messages_per_second"]:9.0f}/s in, {cpu:.2f} µs CPU; '
                        f'{lost} of {fill["confirmed"]} acknowledged ones lost; '
                        f'{drain["messages_per_second"]:.0f}/s out'}


def pairs(count, qos, in_flight):
    window = [] if qos == 0 else ['--window', str(in_flight // count)]
    several = [] if count == 1 else ['-p', str(count), '-c', str(count), '--destinations', str(count)]
    return ['--qos', str(qos), '--in-flight', str(in_flight), *window, *several]


ROWS = [
    MqttRate('mqtt-1-1-qos0', 'MQTT 1 → 1, QoS 0, 500 in flight', pairs(1, 0, 500), 5),
    MqttRate('mqtt-10-10-qos0', 'MQTT 10 → 10, QoS 0, 500 in flight', pairs(10, 0, 500), 5),
    MqttRate('mqtt-1-100-qos0', 'MQTT 1 → 100, QoS 0, 50 in flight',
             ['--qos', '0', '--in-flight', '50', '-c', '100'], 5),
    MqttRate('mqtt-1-1-qos1', 'MQTT 1 → 1, QoS 1, 20 in flight', pairs(1, 1, 20), 3),
    MqttRate('mqtt-10-10-qos1', 'MQTT 10 → 10, QoS 1, 100 in flight', pairs(10, 1, 100), 3),
    MqttRate('mqtt-1-1-qos2', 'MQTT 1 → 1, QoS 2, 20 in flight', pairs(1, 2, 20), 3),
    MqttRate('mqtt-10-10-qos2', 'MQTT 10 → 10, QoS 2, 100 in flight', pairs(10, 2, 100), 3),
    MqttIdle(),
    MqttOffline(),
]


# --- the table -----------------------------------------------------------------------------------


def figure(number):
    return f'{number / 1e6:.2f} M' if number >= 1e6 else f'{number / 1e3:.0f} k'


def cell(row, result):
    if result is None:
        return '–'
    if 'error' in result:
        return 'failed'
    text = {
        'mqtt-rate': lambda: f'{figure(result["rate"])}/s; {result["cpu"]:.2f} µs; '
                             f'{result["p50"]:.2f}, {result["p99"]:.2f} ms',
        'mqtt-idle': lambda: f'{result["seconds"]:.2f} s, {result["refused"]} refused; '
                             f'{result["each"]:.1f} KB',
        'mqtt-offline': lambda: f'{figure(result["rate"])}/s; {result["cpu"]:.2f} µs; '
                                f'{result["lost"]:,} lost',
    }[row.kind]()
    if not result.get('good', True):
        text += f' ({result.get("verdict") or "not good"})'
    return text + (' *' if result.get('quick') else '')


def judge(row, results):
    """What is said about Pabal's figures, and whether they are as wanted."""
    pabal, other = results.get('pabal'), results.get('mosquitto')
    if not pabal or 'error' in pabal:
        return '', ''
    if row.kind == 'mqtt-idle':
        met = pabal['seconds'] < 2 and pabal['refused'] == 0 and pabal['each'] <= 5 and pabal['good']
        return '(< 2 s, none refused, ≤ 5 KB)', 'met' if met else 'short'
    if row.kind == 'mqtt-offline':
        met = pabal['rate'] >= 50_000 and pabal['lost'] == 0
        return '(≥ 50 k/s, none lost)', 'met' if met else 'short'
    if not other or 'error' in other:
        return '', ''
    faster, cheaper = pabal['rate'] / other['rate'], other['cpu'] / max(pabal['cpu'], 0.001)
    met = faster >= row.faster and cheaper >= 4 and pabal['good']
    words = f'{faster:.1f} × Mosquitto (≥ {row.faster}), {cheaper:.1f} × less CPU (≥ 4)'
    flash = results.get('flashmq')
    if flash and 'error' not in flash:
        words += f'; {pabal["rate"] / flash["rate"]:.2f} × FlashMQ'
    return words, 'met' if met else 'short'


def table(figures):
    rows = [row for row in ROWS if row.name in figures]
    if not rows:
        return []
    peers = [(peer, name) for peer, name in PEERS
             if any(peer in figures[row.name] for row in rows)]
    versions = figures.get('versions', {})
    lines = ['', '## MQTT, side by side', '',
             'The same way, over MQTT 3.1.1 with messages of 64 B, clean sessions but for the last row.',
             'Versions: ' + '; '.join(versions.get('mqtt-' + peer, name) for peer, name in peers)
             + '.', '',
             'Cells: deliveries per second; CPU of the broker for each; time from sending to receiving,',
             'p50 and p99, with as many in flight as the row says. Medians of three runs.', '',
             '| scenario | ' + ' | '.join(name for _, name in peers) + ' | Pabal is (wanted) | |',
             '|---' * (len(peers) + 3) + '|']
    for row in rows:
        words, met = judge(row, figures[row.name])
        cells = [cell(row, figures[row.name].get(peer)) for peer, _ in peers]
        lines.append(f'| {row.title} | ' + ' | '.join(cells) + f' | {words} | {met} |')
    return lines
