#!/usr/bin/env node
// Sends to a queue, or receives from one, with stompit (npm install stompit).
//
//   node courier.js [--port 61613] send QUEUE TEXT
//   node courier.js [--port 61613] receive QUEUE [COUNT]
'use strict';

const stompit = require('stompit');

const words = process.argv.slice(2);
const port = words[0] === '--port' ? Number(words.splice(0, 2)[1]) : 61613;
const [action, queue, argument] = words;
if (!['send', 'receive'].includes(action) || !queue) {
  fail(new Error('usage: courier.js [--port PORT] send|receive QUEUE [TEXT|COUNT]'));
}
const destination = `/queue/${queue}`;

function fail(error) {
  console.error(error.message);
  process.exit(1);
}

stompit.connect({ host: '127.0.0.1', port, connectHeaders: { host: 'localhost' } }, (error, client) => {
  if (error) fail(error);
  client.on('error', fail);

  if (action === 'send') {
    // STOMP messages are non-persistent unless they say otherwise. The receipt comes when the message
    // is safe on the broker's disk: until then it may be lost.
    const frame = client.send({ destination, persistent: 'true' }, {
      onReceipt: () => client.disconnect(),
    });
    frame.end(argument);
    return;
  }

  let left = Number(argument || 1);
  client.subscribe({ destination, ack: 'client-individual' }, (subscribeError, message) => {
    if (subscribeError) fail(subscribeError);
    message.readString('utf-8', (readError, body) => {
      if (readError) fail(readError);
      if (left === 0) return;  // Not acknowledged, so it comes again, to somebody.
      console.log(body);
      client.ack(message);
      left -= 1;
      if (left === 0) client.disconnect();
    });
  });
});
