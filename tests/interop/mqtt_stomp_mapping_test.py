#!/usr/bin/env python3
"""What crosses between MQTT (Paho Python) and STOMP through the running program: content, names, queues,
policies, priorities and times; see the table in protocols/mqtt/README.md."""

import os
import queue
import tempfile
import time
import unittest

import paho.mqtt.client as paho
import stomp
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from broker import WAIT_SECONDS, Broker, wait_for

CONFIGURATION = '''<?xml version="1.0" encoding="UTF-8"?>
<beans><broker xmlns="http://activemq.apache.org/schema/core" brokerName="localhost">
    <destinationInterceptors>
      <virtualDestinationInterceptor><virtualDestinations>
        <virtualTopic name="devices.&gt;" prefix="Consumer.*."/>
        <compositeTopic name="alarms.fire" forwardOnly="false">
          <forwardTo><queue physicalName="fire.brigade"/></forwardTo>
        </compositeTopic>
      </virtualDestinations></virtualDestinationInterceptor>
    </destinationInterceptors>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:0"/>
      <transportConnector name="mqtt" uri="mqtt://127.0.0.1:0"/>
    </transportConnectors>
</broker></beans>
'''

PAYLOADS = {
    'empty': b'',
    'text': 'payroll für 김철수 ☂ 🐎'.encode(),
    'every byte': bytes(range(256)) * 3,
    'lone NUL': b'\0',
    'line ends': b'\r\n\n\0\n',
}
# Headers of MESSAGE that belong to the delivery, not to the message.
OF_THE_DELIVERY = ('destination', 'message-id', 'subscription', 'ack', 'original-destination',
                   'redelivered', 'content-length')


def properties(packet_type=PacketTypes.PUBLISH, **values):
    made = Properties(packet_type)
    for name, value in values.items():
        setattr(made, name, value)
    return made


class Device:
    """A client of MQTT 5.0."""

    def __init__(self, broker, client_id, kept=False):
        self.messages = queue.Queue()
        self._answers = queue.Queue()
        self.library = paho.Client(client_id=client_id, protocol=paho.MQTTv5)
        self.library.on_connect = lambda *_: self._answers.put('connected')
        self.library.on_subscribe = lambda *_: self._answers.put('subscribed')
        self.library.on_disconnect = lambda *_: self._answers.put('disconnected')
        self.library.on_message = lambda _client, _data, message: self.messages.put(message)
        self.library.connect('127.0.0.1', broker.ports['mqtt'], clean_start=not kept,
                             properties=properties(PacketTypes.CONNECT,
                                                   SessionExpiryInterval=3600 if kept else 0))
        self.library.loop_start()
        self._wait('connected')

    def _wait(self, what):
        answer = self._answers.get(timeout=WAIT_SECONDS)
        assert answer == what, f'{answer} instead of {what}'

    def subscribe(self, topic_filter, qos=2):
        self.library.subscribe(topic_filter, options=SubscribeOptions(qos=qos))
        self._wait('subscribed')

    def publish(self, topic, payload, qos=1, retain=False, **values):
        """Returns when it is acknowledged."""
        sent = self.library.publish(topic, payload, qos, retain, properties(**values))
        sent.wait_for_publish(WAIT_SECONDS)
        assert sent.is_published(), 'not acknowledged'

    def next(self):
        return self.messages.get(timeout=WAIT_SECONDS)

    def close(self):
        self.library.disconnect()
        self.library.loop_stop()


class MqttStompMappingTest(unittest.TestCase):
    def start(self, **options):
        broker = Broker(options={'mqtt.port': 0}, **options)
        self.addCleanup(broker.close)
        return broker

    def setUp(self):
        self.broker = None

    def device(self, name, **options):
        device = Device(self.broker, name, **options)
        self.addCleanup(device.close)
        return device

    def stomp(self):
        client = self.broker.connect()
        self.addCleanup(client.close)
        return client

    def nothing_more(self, device, sender, topic):
        """Behind a marker that the device is subscribed to, nothing can still be on its way."""
        sender.publish(topic, b'marker')
        self.assertEqual(device.next().payload, b'marker')

    # --- content ---------------------------------------------------------------------------------

    def test_content_survives_a_stomp_client_that_sends_it_on(self):
        self.broker = self.start()
        sender, receiver, middle = self.device('sender'), self.device('receiver'), self.stomp()
        receiver.subscribe('out/#')
        middle.subscribe('/queue/in.q', id='in', ack='client-individual')
        for name, payload in PAYLOADS.items():
            for correlation in (b'order 7 \xc3\xbc', b'\xff\0\x01', bytes(range(32)), b'ID:BINARY:x'):
                with self.subTest(payload=name, correlation=correlation):
                    said = {'ContentType': 'application/x-thing; v="1:2"',
                            'ResponseTopic': 'answers/of.me/ü', 'CorrelationData': correlation,
                            'UserProperty': [('unit', '°C: \\ '), ('a b', ''), ('z', 'line\nend')]}
                    if name == 'text':
                        said['PayloadFormatIndicator'] = 1
                    sender.publish('$queue/in/q', payload, qos=2, **said)
                    frame = middle.expect('MESSAGE')
                    self.assertEqual(frame.body, payload)
                    self.assertEqual(frame.headers['content-type'], said['ContentType'])
                    self.assertEqual(frame.headers['reply-to'], '/topic/answers.of/me.ü')
                    self.assertEqual(frame.headers['unit'], '°C: \\ ')
                    kept = {header: value for header, value in frame.headers.items()
                            if header not in OF_THE_DELIVERY}
                    middle.request('SEND', {**kept, 'destination': '/topic/out.t'}, frame.body)
                    middle.ack(frame)
                    got = receiver.next()
                    self.assertEqual((got.topic, got.payload, got.qos), ('out/t', payload, 2))
                    for each, value in said.items():
                        self.assertEqual(getattr(got.properties, each), value, each)

    def test_repeated_user_properties(self):
        self.broker = self.start()
        sender, receiver, middle = self.device('sender'), self.device('receiver'), self.stomp()
        pairs = [('k', '2'), ('a', 'x'), ('k', '1'), ('k', '2'), ('', 'no name'),
                 ('destination', '/queue/elsewhere'), ('message-id', 'forged'),
                 ('JMSXUserID', 'root'), ('ActiveMQ.MQTT.QoS', 'loud'), ('ActiveMQ.Retain', 'true')]
        receiver.subscribe('$queue/q')
        receiver.subscribe('t')
        for topic in ('$queue/q', 't'):
            sender.publish(topic, b'x', UserProperty=pairs)
            # Between clients of MQTT, through a queue too: all of them, in their order.
            self.assertEqual(receiver.next().properties.UserProperty, pairs)
        late = self.device('late')
        late.subscribe('t')
        self.nothing_more(late, sender, 't')  # nobody's user property retains
        # STOMP: the first of a name counts; what would pose as the broker's own is left out.
        middle.subscribe('/topic/t')
        sender.publish('t', b'', UserProperty=pairs)
        frame = middle.expect('MESSAGE', destination='/topic/t', k='2', a='x')
        self.assertNotIn('', frame.headers)
        self.assertNotIn('JMSXUserID', frame.headers)
        self.assertTrue(frame.headers['message-id'].startswith('ID:pabal-'))
        self.assertEqual(frame.headers['ActiveMQ.MQTT.QoS'], '1')

    def test_stomp_py_reads_whatever_a_device_says(self):
        self.broker = self.start()
        sender = self.device('sender')
        frames = queue.Queue()

        class Inbox(stomp.ConnectionListener):
            def on_message(self, frame):
                frames.put(frame)

            def on_receipt(self, frame):
                frames.put(frame)

        library = stomp.Connection12([('127.0.0.1', self.broker.ports['stomp'])], auto_decode=False)
        library.set_listener('', Inbox())
        library.connect(wait=True)
        self.addCleanup(library.disconnect)
        library.subscribe('/topic/t.>', id='1', headers={'receipt': 'subscribed'})
        frames.get(timeout=WAIT_SECONDS)
        for payload in PAYLOADS.values():
            sender.publish('t/ü x', payload, CorrelationData=b'\xff\xfe\0',
                           UserProperty=[('', 'no name'), ('a:b\n', 'c:\r\n\\'), ('\x7f', '\x01')])
            frame = frames.get(timeout=WAIT_SECONDS)
            self.assertEqual(frame.body, payload)
            self.assertEqual(frame.headers['correlation-id'], 'ID:BINARY:fffe00')
            self.assertEqual(frame.headers['a:b\n'], 'c:\r\n\\')
            self.assertEqual(frame.headers['destination'], '/topic/t.ü x')

    def test_from_stomp(self):
        self.broker = self.start()
        receiver, client = self.device('receiver'), self.stomp()
        receiver.subscribe('t')
        client.request('SEND', {'destination': '/topic/t', 'persistent': 'true', 'type': 'order',
                                'reply-to': '/queue/an.swer', 'JMSXGroupID': 'g', 'k': 'v'})
        got = receiver.next()
        self.assertEqual((got.payload, got.qos), (b'', 2))
        self.assertEqual(got.properties.ContentType, 'text/plain;charset=utf-8')
        self.assertEqual(got.properties.PayloadFormatIndicator, 1)
        self.assertEqual(got.properties.ResponseTopic, '$queue/an/swer')
        self.assertEqual(sorted(got.properties.UserProperty),
                         [('JMSType', 'order'), ('JMSXGroupID', 'g'), ('k', 'v')])
        client.publish('/topic/t', b'\xff', persistent=False)
        got = receiver.next()
        self.assertEqual((got.payload, got.qos), (b'\xff', 0))
        self.assertFalse(hasattr(got.properties, 'ContentType'))
        client.publish('/topic/t', b'x', **{'ActiveMQ.MQTT.QoS': '1', 'ActiveMQ.Retain': 'true'})
        got = receiver.next()
        self.assertEqual(got.qos, 1)
        self.assertFalse(hasattr(got.properties, 'UserProperty'))
        late = self.device('late')
        late.subscribe('t')
        got = late.next()
        self.assertEqual((got.payload, got.retain), (b'x', True))

    # --- names -----------------------------------------------------------------------------------

    def test_names_are_swapped_character_by_character(self):
        self.broker = self.start()
        device, client = self.device('device'), self.stomp()
        client.subscribe('/topic/>', id='all')
        device.subscribe('#')
        for topic, name in (('a/b.c', 'a.b/c'), ('x/y.z>t*u', 'x.y/z#t+u'), ('/lead', '.lead'),
                            ('e//f/', 'e..f.'), ('one,two', 'one,two'), ('q?x=1', 'q?x=1'),
                            ('sp ace/ü', 'sp ace.ü')):
            with self.subTest(topic=topic):
                device.publish(topic, b'up')
                client.expect('MESSAGE', destination=f'/topic/{name}')
                self.assertEqual(device.next().topic, topic)
                if ',' in name or '?' in name:
                    continue  # which STOMP cannot send to: several names, or options
                client.publish(f'/topic/{name}', 'down')
                client.expect('MESSAGE', destination=f'/topic/{name}')
                self.assertEqual(device.next().topic, topic)
        # A comma or a question mark is no list and no option to a device.
        for name in ('one', 'two', 'q'):
            client.subscribe(f'/topic/{name}', id=name)
        device.publish('one,two', b'x')
        device.publish('q?x=1', b'x')
        for name in ('one,two', 'q?x=1'):
            client.expect('MESSAGE', destination=f'/topic/{name}', subscription='all')
        self.assertTrue(client.nothing_pending())

    def test_queues(self):
        self.broker = self.start()
        sender, consumer, client = self.device('sender'), self.device('consumer'), self.stomp()
        listener = self.device('listener')
        for each in ('#', '+/#', '+/+', '/#', 'work/#'):
            listener.subscribe(each)
        sender.publish('$queue/work/a.b', b'one')
        client.subscribe('/queue/work.a/b', id='q', ack='client-individual')
        frame = client.expect('MESSAGE', destination='/queue/work.a/b')
        self.assertEqual(frame.body, b'one')
        client.ack(frame)
        client.request('UNSUBSCRIBE', {'id': 'q'})
        client.publish('/queue/work.a/b', 'two')  # waits
        consumer.subscribe('$queue/work/a.b')
        got = consumer.next()
        self.assertEqual((got.topic, got.payload), ('$queue/work/a.b', b'two'))
        # One of the consumers gets each.
        other = self.device('other')
        other.subscribe('$queue/work/a.b')
        for number in range(10):
            sender.publish('$queue/work/a.b', str(number))
        bodies = [consumer.next().payload for _ in range(5)] + [other.next().payload
                                                                for _ in range(5)]
        self.assertEqual(sorted(bodies), [str(number).encode() for number in range(10)])
        # No filter finds what went to queues: five copies of the marker are all there is.
        sender.publish('work/marker', b'marker')
        self.assertEqual({listener.next().payload for _ in range(4)}, {b'marker'})
        self.assertTrue(listener.messages.empty())

    def test_what_an_mqtt_consumer_of_a_queue_did_not_acknowledge_stays(self):
        self.broker = self.start()
        client, consumer = self.stomp(), self.device('consumer')
        client.publish('/queue/q', 'payroll')
        consumer.library.loop_stop()  # it reads nothing any more, so that it acknowledges nothing
        consumer.library.subscribe('$queue/q', 1)
        wait_for(lambda: any(each['name'] == 'q' and each['inFlight'] == 1
                             for each in self.broker.get_json('/api/queues')['queues']),
                 'the message to be handed out')
        consumer.library.socket().shutdown(2)
        client.subscribe('/queue/q', id='q', ack='client-individual')
        self.assertEqual(client.expect('MESSAGE', redelivered='true').body, b'payroll')

    def test_filters_see_no_internal_topics(self):
        self.broker = self.start()
        device, named, client = self.device('device'), self.device('named'), self.stomp()
        device.subscribe('#')
        named.subscribe('ActiveMQ/Advisory/#')
        client.subscribe('/topic/ActiveMQ.>', id='all')
        # Who comes is told by the broker itself.
        self.stomp()
        client.expect('MESSAGE')
        self.assertTrue(named.next().topic.startswith('ActiveMQ/Advisory/'))
        self.nothing_more(device, named, 'marker')
        self.assertTrue(device.messages.empty())

    # --- policies --------------------------------------------------------------------------------

    def configured(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, 'policy.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(CONFIGURATION)
        return self.start(config=path)

    def test_policies_feed_queues_from_device_topics(self):
        self.broker = self.configured()
        client = self.broker.connect()
        for name in ('payroll', 'audit'):  # a virtual topic feeds the queues that are there
            client.subscribe(f'/queue/Consumer.{name}.devices.d1.temp', id=name)
        client.disconnect()
        device, dashboard = self.device('d1'), self.device('dashboard')
        dashboard.subscribe('#', 1)  # at one QoS there is one order
        for number in range(3):
            device.publish('devices/d1/temp', str(number))
            device.publish('alarms/fire', f'fire {number}', qos=2)
        self.assertEqual([dashboard.next().payload for _ in range(6)],
                         [b'0', b'fire 0', b'1', b'fire 1', b'2', b'fire 2'])
        self.broker.kill()
        self.broker.start()
        client = self.stomp()
        for name, bodies, original in (  # kept across the kill
                ('Consumer.payroll.devices.d1.temp', '012', '/topic/devices.d1.temp'),
                ('Consumer.audit.devices.d1.temp', '012', '/topic/devices.d1.temp'),
                ('fire.brigade', ['fire 0', 'fire 1', 'fire 2'], '/topic/alarms.fire')):
            client.subscribe(f'/queue/{name}', id=name, ack='client-individual')
            frames = [client.expect('MESSAGE', destination=f'/queue/{name}',
                                    original_destination=original) for _ in bodies]
            self.assertEqual([frame.text for frame in frames], list(bodies))
            for frame in frames:
                client.ack(frame)
        client.disconnect()
        # A device can be the worker, too.
        worker = self.device('worker')
        worker.subscribe('$queue/Consumer/payroll/devices/d1/temp')
        self.device('d1').publish('devices/d1/temp', b'again')
        self.assertEqual(worker.next().payload, b'again')

    def test_priorities(self):
        self.broker = self.start()
        away = self.device('away', kept=True)
        away.subscribe('t', 1)  # at one QoS there is one order
        away.close()
        client = self.stomp()
        for priority in (0, 9, 4, 7):
            client.publish('/topic/t', str(priority), priority=priority)
        self.device('sender').publish('t', b'4 of a device')
        self.broker.kill()
        self.broker.start()
        away = self.device('away', kept=True)
        self.assertEqual([away.next().payload for _ in range(5)],
                         [b'9', b'7', b'4', b'4 of a device', b'0'])

    def test_expiration(self):
        self.broker = self.start()
        away = self.device('away', kept=True)
        away.subscribe('t', 1)
        away.close()
        client, device = self.stomp(), self.device('device')
        now = int(time.time() * 1000)
        client.publish('/topic/t', 'past', expires=now - 1000)
        client.publish('/topic/t', 'hour', expires=now + 3_600_000)
        client.publish('/topic/t', 'ever')
        device.publish('t', b'at once', MessageExpiryInterval=0)
        away = self.device('away', kept=True)
        got = away.next()
        self.assertEqual(got.payload, b'hour')
        self.assertTrue(3000 < got.properties.MessageExpiryInterval <= 3600)
        got = away.next()
        self.assertEqual(got.payload, b'ever')
        self.assertFalse(hasattr(got.properties, 'MessageExpiryInterval'))
        client.subscribe('/topic/u')
        device.publish('u', b'x', MessageExpiryInterval=100)
        headers = client.expect('MESSAGE').headers
        self.assertEqual(int(headers['expires']) - int(headers['timestamp']), 100_000)
        device.publish('u', b'x')
        client.expect('MESSAGE', expires='0', priority='4')


if __name__ == '__main__':
    unittest.main(verbosity=2)
