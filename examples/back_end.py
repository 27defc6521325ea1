#!/usr/bin/env python3
"""Works through what devices said over MQTT and answers them, with stomp.py over STOMP (Debian: apt
install python3-stomp). What nobody works on meanwhile waits in the queue.

    back_end.py [--port 61613] readings COUNT    of the topics VirtualTopic/readings/+
    back_end.py [--port 61613] alarms COUNT      of what they sent to $queue/alarms

Run it once with COUNT 0 before the first reading: a virtual topic feeds the queues that are there.
"""

import argparse
import queue

import stomp

QUEUES = {'readings': '/queue/Consumer.back_end.VirtualTopic.readings.>', 'alarms': '/queue/alarms'}


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame)

    def on_error(self, frame):
        self.fail(RuntimeError(frame.headers.get('message', frame.body)))

    def on_disconnected(self):
        self.fail(ConnectionError('the broker is gone'))

    def fail(self, error):
        self.messages.put(error)
        self.receipts.put(error)


def take(frames):
    frame = frames.get(timeout=60)
    if isinstance(frame, Exception):
        raise frame
    return frame


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=61613)
    parser.add_argument('queue', choices=QUEUES)
    parser.add_argument('count', type=int)
    options = parser.parse_args()

    inbox = Inbox()
    connection = stomp.Connection12([('127.0.0.1', options.port)])
    connection.set_listener('inbox', inbox)
    connection.connect(wait=True)
    connection.subscribe(QUEUES[options.queue], id='1', ack='client-individual',
                         headers={'receipt': 'subscribed'})
    take(inbox.receipts)

    for _ in range(options.count):
        message = take(inbox.messages)
        print(message.body, flush=True)
        # The answer and the acknowledgement in one transaction: both or neither. The device said where
        # it listens: its response topic commands/NAME is /topic/commands.NAME here.
        work = connection.begin()
        connection.send(message.headers['reply-to'], f'seen: {message.body}', transaction=work,
                        persistent='true', **{'correlation-id': message.headers['correlation-id']})
        connection.ack(message.headers['ack'], transaction=work)
        connection.commit(work, headers={'receipt': work})
        take(inbox.receipts)

    connection.remove_listener('inbox')
    connection.disconnect()


main()
