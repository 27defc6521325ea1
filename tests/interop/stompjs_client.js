// @stomp/stompjs against the broker: over WebSocket at $WS_PORT, as a browser does it, and over TCP at
// $STOMP_PORT; see foreign_client_test.py.
'use strict';

const net = require('node:net');
const { WebSocket } = require('ws');
const { Client } = require('@stomp/stompjs');
const { assert, Inbox, run, scenario, TEXT, within } = require('./scenarios');

// As much of WebSocket as stompjs uses, on a TCP socket.
class TcpSocket {
  constructor(port) {
    this.binaryType = 'arraybuffer';
    this.readyState = 0;
    this.url = `tcp://127.0.0.1:${port}`;
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('connect', () => { this.readyState = 1; this.onopen(); });
    this.socket.on('data', (data) => this.onmessage({ data: new Uint8Array(data).buffer }));
    this.socket.on('error', (error) => this.onerror(error));
    this.socket.on('close', () => { this.readyState = 3; this.onclose({ code: 1000 }); });
  }

  send(data) {
    this.socket.write(typeof data === 'string' ? data : Buffer.from(data));
  }

  close() {
    this.socket.end();
  }

  terminate() {
    this.socket.destroy();
  }
}

const transports = {
  ws: () => {
    const socket = new WebSocket(`ws://127.0.0.1:${process.env.WS_PORT}`,
      ['v12.stomp', 'v11.stomp', 'v10.stomp']);
    socket.on('open', () => assert.equal(socket.protocol, 'v12.stomp'));
    return socket;
  },
  tcp: () => new TcpSocket(Number(process.env.STOMP_PORT)),
};

// A connected client; errors of the broker reject what waits for it.
async function connect(transport, options = {}) {
  const client = new Client({
    webSocketFactory: transports[transport], reconnectDelay: 0, heartbeatIncoming: 0,
    heartbeatOutgoing: 0, ...options,
  });
  client.errors = new Inbox();
  client.onStompError = (frame) => client.errors.put(frame);
  await within(new Promise((resolve, reject) => {
    client.onConnect = resolve;
    client.onWebSocketError = reject;
    client.activate();
  }), 'CONNECTED');
  client.receipts = 0;
  return client;
}

// Calls `call(receipt)` and resolves when that receipt comes.
function settled(client, call) {
  client.receipts += 1;
  const receipt = `r${client.receipts}`;
  return within(new Promise((resolve, reject) => {
    client.watchForReceipt(receipt, resolve);
    client.onStompError = (frame) => reject(new Error(frame.headers.message));
    call(receipt);
  }), `receipt ${receipt}`);
}

function send(client, destination, body, headers = {}) {
  const content = typeof body === 'string' ? { body } : { binaryBody: body };
  return settled(client, (receipt) => client.publish({
    destination, ...content, headers: { persistent: 'true', receipt, ...headers },
  }));
}

async function subscribe(client, destination, ack = 'auto', headers = {}) {
  const inbox = new Inbox();
  await settled(client, (receipt) => client.subscribe(destination, (frame) => inbox.put(frame),
    { ack, receipt, ...headers }));
  return inbox;
}

const settle = (client, command, frame, headers = {}) => settled(client,
  (receipt) => frame[command]({ receipt, ...headers }));

// Goes without DISCONNECT.
async function drop(client) {
  await within(new Promise((resolve) => {
    client.onWebSocketClose = resolve;
    client.forceDisconnect();
  }), 'the end of the connection');
}

const texts = (frames) => frames.map((frame) => frame.body);

for (const transport of process.argv.slice(2).length ? process.argv.slice(2) : ['ws', 'tcp']) {
  scenario('text and headers arrive as sent', async (name) => {
    const client = await connect(transport);
    const inbox = await subscribe(client, `/queue/${name}`);
    await send(client, `/queue/${name}`, TEXT, { employee: TEXT, 'correlation-id': 'c:1\n2' });
    const frame = await inbox.next();
    assert.equal(frame.body, TEXT);
    assert.equal(frame.headers.employee, TEXT);
    assert.equal(frame.headers['correlation-id'], 'c:1\n2');
    await client.deactivate();
  });

  scenario('every byte value arrives in a large body', async (name) => {
    const client = await connect(transport);
    const inbox = await subscribe(client, `/queue/${name}`);
    const body = Uint8Array.from({ length: 300000 }, (_, index) => index % 256);
    await send(client, `/queue/${name}`, body);
    assert.deepEqual((await inbox.next()).binaryBody, body);
    await client.deactivate();
  });

  scenario('acknowledgements cover what they say', async (name) => {
    const queue = `/queue/${name}.${transport}`;
    const first = await connect(transport);
    for (const body of ['1', '2', '3', '4', '5']) await send(first, queue, body);
    const cumulative = await (await subscribe(first, queue, 'client')).take(5);
    await settle(first, 'ack', cumulative[1]);
    await drop(first);
    const second = await connect(transport);
    const individual = await (await subscribe(second, queue, 'client-individual')).take(3);
    assert.deepEqual(texts(individual), ['3', '4', '5']);
    assert.equal(individual[0].headers.redelivered, 'true');
    await settle(second, 'ack', individual[1]);
    await drop(second);
    const third = await connect(transport);
    assert.deepEqual(texts(await (await subscribe(third, queue)).take(2)), ['3', '5']);
    await third.deactivate();
  });

  scenario('what is refused goes to the dead letter queue', async (name) => {
    const queue = `/queue/${name}.${transport}`;
    const client = await connect(transport);
    await send(client, queue, 'poison');
    await settle(client, 'nack', await (await subscribe(client, queue, 'client-individual')).next());
    const dead = await (await subscribe(client, '/queue/ActiveMQ.DLQ')).next('a dead letter');
    assert.equal(dead.body, 'poison');
    assert.equal(dead.headers['original-destination'], queue);
    await client.deactivate();
  });

  scenario('a transaction is seen when it commits', async (name) => {
    const queue = `/queue/${name}.${transport}`;
    const client = await connect(transport);
    const inbox = await subscribe(client, queue);
    const aborted = client.begin();
    await send(client, queue, 'never', { transaction: aborted.id });
    aborted.abort();
    const committed = client.begin();
    await send(client, queue, 'one', { transaction: committed.id });
    await send(client, queue, 'two', { transaction: committed.id });
    await send(client, queue, 'outside');
    assert.deepEqual(texts(await inbox.take(1)), ['outside']);
    committed.commit();
    assert.deepEqual(texts(await inbox.take(2)), ['one', 'two']);
    await client.deactivate();
  });

  scenario('a durable subscription keeps what came meanwhile', async (name) => {
    const topic = `/topic/${name}.${transport}`;
    const identity = { connectHeaders: { 'client-id': `stompjs-${transport}` } };
    const durable = { 'activemq.subscriptionName': 'ledger' };
    const first = await connect(transport, identity);
    await subscribe(first, topic, 'client-individual', durable);
    await first.deactivate();
    const sender = await connect(transport);
    await send(sender, topic, 'absent');
    await sender.deactivate();
    const second = await connect(transport, identity);
    const frame = await (await subscribe(second, topic, 'client-individual', durable)).next();
    assert.equal(frame.body, 'absent');
    await settle(second, 'ack', frame);
    await second.deactivate();
  });

  scenario('heart-beats come as asked for', async (name) => {
    const beats = new Inbox();
    const client = await connect(transport, {
      heartbeatIncoming: 300, heartbeatOutgoing: 300,
      debug: (text) => { if (text === '<<< PONG') beats.put(text); },
    });
    await beats.take(5);
    await send(client, `/queue/${name}`, 'still here');
    await client.deactivate();
  });
}

run('stompjs');
