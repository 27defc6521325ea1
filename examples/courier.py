#!/usr/bin/env python3
"""Sends to a queue, or receives from one, with stomp.py (Debian: apt install python3-stomp).

    courier.py [--port 61613] send QUEUE TEXT
    courier.py [--port 61613] receive QUEUE [COUNT]
"""

import argparse
import queue

import stomp


class Inbox(stomp.ConnectionListener):
    def __init__(self):
        self.frames = queue.Queue()

    def on_message(self, frame):
        self.frames.put(frame)

    def on_receipt(self, frame):
        self.frames.put(frame)

    def on_error(self, frame):
        self.frames.put(RuntimeError(frame.headers.get('message', frame.body)))

    def on_disconnected(self):
        self.frames.put(ConnectionError('the broker is gone'))

    def next(self):
        frame = self.frames.get(timeout=60)
        if isinstance(frame, Exception):
            raise frame
        return frame


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=61613)
    parser.add_argument('action', choices=['send', 'receive'])
    parser.add_argument('queue')
    parser.add_argument('argument', nargs='?', default='1', help='text to send, or how many to receive')
    options = parser.parse_args()

    inbox = Inbox()
    connection = stomp.Connection12([('127.0.0.1', options.port)])
    connection.set_listener('inbox', inbox)
    connection.connect(wait=True)
    destination = '/queue/' + options.queue

    if options.action == 'send':
        # STOMP messages are non-persistent unless they say otherwise. The receipt comes when the
        # message is safe on the broker's disk: until then it may be lost.
        connection.send(destination, options.argument, persistent='true', receipt='sent')
        inbox.next()
    else:
        connection.subscribe(destination, id='1', ack='client-individual')
        for _ in range(int(options.argument)):
            frame = inbox.next()
            print(frame.body, flush=True)
            # What is not acknowledged comes again, to somebody.
            connection.ack(frame.headers['ack'])

    connection.remove_listener('inbox')
    connection.disconnect()


main()
