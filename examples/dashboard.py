#!/usr/bin/env python3
"""Shows what the devices say, as it comes, with Paho over MQTT (Debian: apt install python3-paho-mqtt).
Who is there it knows at once: a device's status is retained.

    dashboard.py [--port 1883] [COUNT]          ends after so many lines
"""

import argparse
import sys

import paho.mqtt.client as mqtt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--port', type=int, default=1883)
    parser.add_argument('count', nargs='?', type=int, default=-1)
    options = parser.parse_args()
    left = options.count

    def on_connect(client, _data, _flags, code):
        if code != 0:
            sys.exit(f'refused: {mqtt.connack_string(code)}')
        # Here, so that it subscribes again when the connection was lost and Paho made a new one.
        client.subscribe([('status/+', 1), ('VirtualTopic/readings/+', 1)])

    def on_message(client, _data, message):
        nonlocal left
        if left == 0:
            return
        *_, kind, device = message.topic.split('/')
        print(f'{device} {kind}: {message.payload.decode()}', flush=True)
        left -= 1
        if left == 0:
            client.disconnect()

    client = mqtt.Client()
    client.on_connect = on_connect
    client.on_message = on_message
    client.connect('127.0.0.1', options.port)
    client.loop_forever()


main()
