#!/usr/bin/env python3
"""Bridges (networkConnector with an mqtt:// URI) between the running program and Mosquitto, and between
two of it: patterns both ways, prefixes, retained messages, and nothing lost when either side is killed or
away."""

import json
import random
import socket
import threading
import time
import unittest

from bridging import (BridgedBroker, Listener, Mosquitto, connector, free_port, publish, receive)
from broker import run, wait_for
from mqtt_receiver import Receiver
from mqtt_sender import Sender

SEED = 20_261_122
MESSAGES = 1500
KILLS = 4


def numbers(lines):
    return [int(line) for line in lines]


class BridgeTest(unittest.TestCase):
    def pabal(self, *arguments, **options):
        broker = BridgedBroker(*arguments, **options)
        self.addCleanup(broker.close)
        return broker

    def mosquitto(self, *arguments, **options):
        broker = Mosquitto(*arguments, **options)
        self.addCleanup(broker.close)
        return broker

    def keep(self, port, client, topic, qos=1):
        """A session at a broker that gathers."""
        receive(port, '-i', client, '-c', '-q', qos, '-t', topic, '-E')

    def gatherer(self, port, client, topic, qos):
        """The same, of a client that keeps the promises of QoS 2 however slow the machine is (mosquitto_sub
        forgets what it has not finished when its -W is over)."""
        receiver = Receiver(port, client, [topic], qos).start()
        receiver.leave()
        return receiver

    def gathered(self, port, client, topic, count, qos=1):
        """What it has gathered, as numbers."""
        return numbers(receive(port, '-i', client, '-c', '-q', qos, '-t', topic, '-C', count))


class BothWays(BridgeTest):
    ROUTES = ('<pabalOut topic="up/#" qos="{qos}" localPrefix="here/" remotePrefix="there/"/>'
              '<pabalIn topic="down/+" qos="{qos}" localPrefix="mine/" remotePrefix="yours/"/>')

    def both_ways(self, peer):
        for version in ('5', '3.1.1'):
            for qos in (0, 1, 2):
                with self.subTest(version=version, qos=qos):
                    here = self.pabal(connector(peer.port, self.ROUTES.format(qos=qos),
                                                query=f'version={version}&initialReconnectDelay=20',
                                                attributes=f'pabalClientId="c{qos}{version}"'))
                    here.wait_connected()
                    with Listener(peer.port, '-t', 'there/#', '-q', 2, '-C', 2, '-v') as far:
                        publish(here.port, '-t', 'here/up/a', '-q', qos, '-m', 'one')
                        publish(here.port, '-t', 'up/a', '-q', qos, '-m', 'not this')
                        publish(here.port, '-t', 'here/up/b/c', '-q', qos, '-m', 'two')
                        self.assertEqual(far.lines(), ['there/up/a one', 'there/up/b/c two'])
                    with Listener(here.port, '-t', 'mine/#', '-q', 2, '-C', 2, '-v') as near:
                        publish(peer.port, '-t', 'yours/down/a', '-q', qos, '-m', 'one')
                        publish(peer.port, '-t', 'yours/down/a/b', '-q', qos, '-m', 'not this')
                        publish(peer.port, '-t', 'yours/down/b', '-q', qos, '-m', 'two')
                        self.assertEqual(near.lines(), ['mine/down/a one', 'mine/down/b two'])
                    here.wait_forwarded()
                    self.assertEqual(here.bridge()['forwardedOut'], 2)
                    self.assertEqual(here.bridge()['forwardedIn'], 2)
                    here.terminate()

    def test_with_mosquitto(self):
        self.both_ways(self.mosquitto())

    def test_with_pabal(self):
        self.both_ways(self.pabal())

    def test_properties_and_retained(self):
        for peer in (self.mosquitto(), self.pabal()):
            with self.subTest(peer=type(peer).__name__):
                here = self.pabal(connector(peer.port, '<pabalOut topic="o/#"/><pabalIn topic="i/#"/>'))
                here.wait_connected()
                properties = ['-V', 5, '-q', 1, '-r', '-D', 'publish', 'content-type', 'text/x',
                              '-D', 'publish', 'response-topic', 'r/s', '-D', 'publish',
                              'correlation-data', 'c', '-D', 'publish', 'user-property', 'k', 'v']
                for one, other, topic in ((here, peer, 'o/a'), (peer, here, 'i/a')):
                    publish(one.port, '-t', topic, '-m', 'x', *properties)
                    wait_for(lambda o=other, t=topic: receive(o.port, '-V', 5, '-t', t, '-W', 1, '-C', 1),
                             'the retained message')
                    line, = receive(other.port, '-V', 5, '-t', topic, '-C', 1, '-F', '%r|%p|%C|%R|%D|%P')
                    self.assertTrue(line.startswith('1|x|text/x|r/s|c|k:v'), line)
                # What was retained before the bridge was made goes out with its first connection.
                publish(here.port, '-t', 'late/a', '-q', 1, '-r', '-m', 'kept')
                here.terminate()
                here.configure(connector(peer.port, '<pabalOut topic="late/#"/>', name='late'))
                here.start()
                here.wait_connected('late')
                self.assertEqual(receive(peer.port, '-t', 'late/a', '-C', 1, '-F', '%p'), ['kept'])


class Away(BridgeTest):
    def test_what_waits_survives_kill(self):
        for qos in (1, 2):
            for peer in (self.mosquitto(), self.pabal()):
                with self.subTest(qos=qos, peer=type(peer).__name__):
                    self.keep(peer.port, 'far', 'o/#', qos)
                    here = self.pabal(connector(peer.port, f'<pabalOut topic="o/#" qos="{qos}"/>'))
                    here.wait_connected()
                    if isinstance(peer, Mosquitto):
                        peer.stop()
                    else:
                        peer.kill()
                    sender = Sender(here.port, 'sender')
                    for number in range(1000):
                        sender.publish('o/x', str(number), qos)
                    sender.finish()
                    sender.close()
                    self.assertEqual(here.bridge()['waiting'], 1000)
                    here.kill()
                    here.start()
                    self.assertEqual(here.bridge()['waiting'], 1000)
                    self.assertFalse(here.bridge()['connected'])
                    self.assertNotEqual(here.bridge()['lastError'], '')
                    peer.start()
                    here.wait_forwarded()
                    self.assertEqual(self.gathered(peer.port, 'far', 'o/#', 1000, qos), list(range(1000)))
                    peer.close()

    def test_first_connection_after_the_messages(self):
        peer = self.pabal(start=False)
        here = self.pabal(connector(peer.port, '<pabalOut topic="o/#"/>'))
        for number in range(10):
            publish(here.port, '-t', 'o/x', '-q', 1, '-m', number)
        peer.start()
        self.keep(peer.port, 'far', 'o/#')
        wait_for(lambda: here.bridge()['forwardedOut'] >= 10, 'ten messages')


    def test_for_longer_than_sessions_are_kept(self):
        """sessionKeepMax is for clients: what waits for a bridge goes by no limit of time."""
        peer = self.pabal()
        self.keep(peer.port, 'far', 'o/#', 2)
        peer.kill()
        here = self.pabal(start=False)
        here.configure(connector(peer.port, '<pabalOut topic="o/#" qos="2"/>'),
                       lambda text: text.replace('sessionKeepMax="0"', 'sessionKeepMax="1"'))
        here.start()
        self.keep(here.port, 'client', 'o/#')
        for number in range(20):
            publish(here.port, '-t', 'o/x', '-q', 2, '-m', number)

        def sessions():
            return [each['clientId'] for each in here.get_json('/api/subscriptions')['subscriptions']]
        wait_for(lambda: 'client' not in sessions(), 'the end of the session of the client')
        self.assertEqual(here.bridge()['waiting'], 20)
        here.kill()
        here.start()
        peer.start()
        here.wait_forwarded()
        self.assertEqual(self.gathered(peer.port, 'far', 'o/#', 20, 2), list(range(20)))


class Operator(BridgeTest):
    """What the one who carries the pager sees."""

    def test_list_status_metrics_explain(self):
        peer = self.pabal(start=False)
        here = self.pabal(connector(peer.port, '<pabalOut topic="o/#"/>',
                                    attributes='userName="me" password="s3cret"'))
        api = ('--api', here.http_url)
        publish(here.port, '-t', 'o/x', '-q', 1, '-m', 1)
        wait_for(lambda: here.bridge()['lastError'], 'an error')
        seen = here.bridge()
        self.assertIn(seen['state'], ('connecting', 'resting'))
        self.assertEqual(seen['remote'], f'mqtt://127.0.0.1:{peer.port}')
        self.assertEqual(seen['waiting'], 1)
        self.assertGreaterEqual(seen['lastErrorAt'], seen['since'])
        told = run('explain', '/topic/o.x', *api).stdout
        self.assertIn('the bridge b (mqtt:o/#): 1 message wait for the other broker', told)
        peer.start()
        here.wait_forwarded()
        listed = run('bridge', 'list', *api).stdout
        self.assertRegex(listed, r'(?m)^ +b +mqtt://127\.0\.0\.1:\d+ +\$bridge:b +connected ')
        whole = run('bridge', 'list', '--json', *api).stdout
        self.assertEqual(json.loads(whole)['bridges'][0]['forwardedOut'], 1)
        _, metrics = here.get('/metrics')
        self.assertIn('pabal_bridge_connected{bridge="b"} 1', metrics)
        self.assertIn('pabal_bridge_forwarded_out_total{bridge="b"} 1', metrics)
        self.assertIn('pabal_bridge_waiting{bridge="b"} 0', metrics)
        status = run('status', *api).stdout
        for text in (told, listed, whole, metrics, status, here.log_tail(1 << 20)):
            self.assertNotIn('s3cret', text)
        # A bridge that is no more still gathers, and does not do so unseen.
        here.terminate()
        here.configure('')
        here.start()
        publish(here.port, '-t', 'o/x', '-q', 1, '-m', 2)
        self.assertEqual((here.bridge()['state'], here.bridge()['waiting']), ('not configured', 1))
        self.assertIn('it is no more, and still gathers messages', here.log_tail(1 << 20))
        api = ('--api', here.http_url)
        self.assertEqual(run('subscription', 'delete', '$bridge:b', 'mqtt:o/#', *api).returncode, 0)
        self.assertEqual(run('bridge', 'list', *api).stdout, 'no bridges\n')

    def test_stops_while_it_connects(self):
        """In order, at each stage of a connection."""
        with socket.socket() as silent:
            silent.bind(('127.0.0.1', 0))
            silent.listen()
            here = self.pabal(connector(silent.getsockname()[1], '<pabalOut topic="o/#"/>'))
            connection, _ = silent.accept()
            with connection:
                self.assertTrue(connection.recv(1000).startswith(b'\x10'))  # CONNECT
                self.assertEqual(here.terminate(), 0)
        here = self.pabal(connector(free_port(), '<pabalOut topic="o/#"/>',
                                    query='initialReconnectDelay=60000'))
        wait_for(lambda: here.bridge()['lastError'], 'an error')
        self.assertEqual(here.terminate(), 0)


class Killed(BridgeTest):
    """Messages flow both ways while one side is killed again and again."""

    def flow(self, qos, victim_is_peer, peer=None, before_kill=lambda here: None):
        peer = peer or self.pabal()
        here = self.pabal(connector(
            peer.port, f'<pabalOut topic="o/#" qos="{qos}"/><pabalIn topic="i/#" qos="{qos}"/>'))
        here.wait_connected()
        far = self.gatherer(peer.port, 'far', 'o/#', qos)
        near = self.gatherer(here.port, 'near', 'i/#', qos)
        # Mosquitto 2.0 loses what a client of 3.1.1 has on its way at QoS 2 beyond its 20.
        senders = {'o/x': Sender(here.port, 'at here'),
                   'i/x': Sender(peer.port, 'at peer', window=10)}
        failures = []

        def send(topic):
            try:
                for number in range(MESSAGES + 1):  # the last one says that it is
                    while topic == 'i/x' and number > senders['o/x']._last_id and threads[0].is_alive():
                        time.sleep(0.001)  # both are on their way at each kill
                    senders[topic].publish(topic, str(number), qos)
                senders[topic].finish()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=send, args=(topic,)) for topic in senders]
        for thread in threads:
            thread.start()
        rng = random.Random(SEED + qos)
        victim = peer if victim_is_peer else here
        for round_number in range(KILLS):
            mark = (round_number + rng.random()) * MESSAGES / (KILLS + 1)
            wait_for(lambda m=mark: senders['o/x']._last_id >= m or not threads[0].is_alive(),
                     'the senders')
            before_kill(here)
            victim.kill()
            victim.start()
        for thread in threads:
            thread.join()
        for sender in senders.values():
            sender.close()
        self.assertEqual(failures, [])
        for name, receiver in (('far', far), ('near', near)):
            got = self.collect(receiver, MESSAGES)
            self.assertEqual(sorted(set(got)), list(range(MESSAGES)), name)
            if qos == 2:
                self.assertEqual(len(got), MESSAGES, f'{name}: twice')
                self.assertEqual(receiver.duplicates, 0, f'{name}: published after PUBREC')
            firsts = sorted(set(got), key=got.index)
            self.assertEqual(firsts, list(range(MESSAGES)), f'{name}: order')

    def collect(self, receiver, last):
        """The numbers that come before `last`, which comes."""
        receiver.start()

        def got(received):
            return numbers(payload for _, payload in received)
        receiver.wait_for(lambda received: last in got(received), 'the last message')
        receiver.leave()
        return [number for number in got(receiver.received) if number != last]

    def test_here_qos_1(self):
        self.flow(1, False)

    def test_peer_qos_1(self):
        self.flow(1, True)

    def test_here_qos_2(self):
        self.flow(2, False)

    def test_peer_qos_2(self):
        self.flow(2, True)

    def test_mosquitto(self):
        """Killed with its persistence on, Mosquitto forgets what it was told last. What it is told from then
        on is not mistaken for that: everything sent to it is answered, and what is sent both ways afterwards
        arrives once and in order."""
        for qos in (1, 2):
            with self.subTest(qos=qos):
                # What it had taken at QoS 2, and forgot that it was released, counts to the last for ever.
                peer = self.mosquitto('autosave_interval 5\nautosave_on_changes true\n'
                                      'max_inflight_messages 0')
                here = self.pabal(connector(
                    peer.port, f'<pabalOut topic="o/#" qos="{qos}"/><pabalIn topic="i/#" qos="{qos}"/>'))
                here.wait_connected()
                far = self.gatherer(peer.port, 'far', 'o/#', qos)
                near = self.gatherer(here.port, 'near', 'i/#', qos)
                peer.stop()  # it writes down that there are these sessions
                peer.start()
                sender = Sender(here.port, 'at here')
                for _ in range(KILLS):
                    for number in range(300):
                        sender.publish('o/x', str(number), qos)
                    peer.kill()
                    peer.start()
                    # Under load from the other side, too: ids that it has used, and forgotten.
                    here.wait_connected()
                    publish(peer.port, '-t', 'i/x', '-q', qos, '-m', 0)
                sender.finish()
                here.wait_connected()
                here.wait_forwarded()
                for number in range(1000, 1101):
                    sender.publish('o/x', str(number), qos)
                    publish(peer.port, '-t', 'i/x', '-q', qos, '-m', number)
                sender.finish()
                sender.close()
                here.wait_forwarded()
                for name, receiver in (('far', far), ('near', near)):
                    got = self.collect(receiver, 1100)
                    self.assertEqual([each for each in got if each >= 1000], list(range(1000, 1100)), name)
                self.assertEqual(here.bridge()['refusedOut'] + here.bridge()['refusedIn'], 0)
                peer.close()
                here.close()

    def test_here_beside_mosquitto(self):
        """Not killed again before Mosquitto has repeated its PUBRELs: those that it did not get to, version
        2.0 repeats as PUBLISH with the next connection [against MQTT-4.3.3-6], so that they come twice."""
        def past_repetitions(here):
            wait_for(lambda: here.bridge()['forwardedIn'] > 0, 'a PUBLISH')
        for qos in (1, 2):
            with self.subTest(qos=qos):
                self.flow(qos, False, self.mosquitto(), past_repetitions)


class Loops(BridgeTest):
    def test_same_tree_both_ways(self):
        for peer in (self.mosquitto(), self.pabal()):
            with self.subTest(peer=type(peer).__name__):
                here = self.pabal(connector(peer.port, '<pabalOut topic="t/#"/><pabalIn topic="t/#"/>'))
                here.wait_connected()
                self.keep(peer.port, 'far', 't/#')
                self.keep(here.port, 'near', 't/#')
                for number in range(10):
                    publish(here.port, '-t', 't/x', '-q', 1, '-m', number)
                    publish(peer.port, '-t', 't/x', '-q', 1, '-m', number + 10)
                wait_for(lambda h=here: h.bridge()['forwardedOut'] >= 10
                         and h.bridge()['forwardedIn'] >= 10, 'messages both ways')
                for port, client in ((peer.port, 'far'), (here.port, 'near')):
                    got = numbers(receive(port, '-i', client, '-c', '-q', 1, '-t', 't/#', '-W', 2))
                    self.assertEqual(sorted(got), list(range(20)), client)

    def test_ring_of_three(self):
        """Each forwards out to the next: what is sent anywhere is everywhere once."""
        brokers = [self.pabal(start=False) for _ in range(3)]
        for i, broker in enumerate(brokers):
            broker.configure(connector(brokers[(i + 1) % 3].port, '<pabalOut topic="t/#"/>'))
            broker.start()
        for broker in brokers:
            broker.wait_connected()
            self.keep(broker.port, 'all', 't/#')
        for i, broker in enumerate(brokers):
            publish(broker.port, '-t', 't/x', '-q', 1, '-m', i)
        for broker in brokers:
            got = []

            def more(port=broker.port, got=got):
                got.extend(numbers(receive(port, '-i', 'all', '-c', '-q', 1, '-t', 't/#', '-W', 1)))
                return len(got) >= 3
            wait_for(more, 'three messages')
            self.assertFalse(more() and len(got) > 3, got)
            self.assertEqual(sorted(got), [0, 1, 2])

    def test_old_version_wants_other_topics(self):
        broker = self.pabal(connector(1883, '<pabalOut topic="t/#"/>\n<pabalIn topic="t/+"/>',
                                      query='version=3.1.1'), start=False)
        checked = run('check', broker.config)
        self.assertNotEqual(checked.returncode, 0)
        self.assertIn('would send back', checked.stdout + checked.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
