// stompit against the broker at $STOMP_PORT; see foreign_client_test.py.
'use strict';

const stompit = require('stompit');
const { assert, Inbox, run, scenario, TEXT, within } = require('./scenarios');

const port = Number(process.env.STOMP_PORT);

function connect(headers = {}) {
  return within(new Promise((resolve, reject) => {
    stompit.connect({ host: '127.0.0.1', port, connectHeaders: { host: 'localhost', ...headers } },
      (error, client) => {
        if (error) return reject(error);
        client.on('error', () => {});  // Scenarios that drop a connection expect one.
        return resolve(client);
      });
  }), 'CONNECTED');
}

function disconnect(client) {
  return within(new Promise((resolve) => client.disconnect(resolve)), 'the end of the connection');
}

// Resolves with the receipt.
function send(client, destination, body, headers = {}) {
  return within(new Promise((resolve) => {
    client.send({ destination, persistent: 'true', ...headers }, { onReceipt: resolve }).end(body);
  }), 'the receipt of a SEND');
}

// Resolves with an Inbox of {message, body (Buffer)} once the subscription exists.
async function subscribe(client, destination, ack = 'auto', headers = {}) {
  const inbox = new Inbox();
  client.subscribe({ destination, ack, ...headers }, (error, message) => {
    if (error) return;
    const chunks = [];
    message.on('data', (chunk) => chunks.push(chunk));
    message.on('end', () => inbox.put({ message, body: Buffer.concat(chunks) }));
  });
  await send(client, '/topic/nobody.listens', 'x');
  return inbox;
}

function settle(client, command, message, headers = {}) {
  return within(new Promise((resolve) => {
    client[command](message, headers, { onReceipt: resolve });
  }), `the receipt of ${command}`);
}

const texts = (deliveries) => deliveries.map(({ body }) => body.toString());

scenario('text and headers arrive as sent', async (name) => {
  const client = await connect();
  const inbox = await subscribe(client, `/queue/${name}`);
  await send(client, `/queue/${name}`, TEXT, { employee: TEXT, 'correlation-id': 'c:1\n2' });
  const { message, body } = await inbox.next();
  assert.equal(body.toString(), TEXT);
  assert.equal(message.headers.employee, TEXT);
  assert.equal(message.headers['correlation-id'], 'c:1\n2');
  assert.equal(message.headers.persistent, 'true');
  await disconnect(client);
});

scenario('every byte value arrives in a large body', async (name) => {
  const client = await connect();
  const inbox = await subscribe(client, `/queue/${name}`);
  const body = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => index % 256));
  await send(client, `/queue/${name}`, body, { 'content-length': body.length });
  assert.ok((await inbox.next()).body.equals(body));
  await disconnect(client);
});

scenario('client acknowledgement covers what came before', async (name) => {
  const first = await connect();
  for (const body of ['one', 'two', 'three']) await send(first, `/queue/${name}`, body);
  const deliveries = await (await subscribe(first, `/queue/${name}`, 'client')).take(3);
  await settle(first, 'ack', deliveries[1].message);
  first.destroy();
  const second = await connect();
  const { message, body } = await (await subscribe(second, `/queue/${name}`)).next();
  assert.equal(body.toString(), 'three');
  assert.equal(message.headers.redelivered, 'true');
  await disconnect(second);
});

scenario('individual acknowledgement covers one', async (name) => {
  const first = await connect();
  for (const body of ['one', 'two', 'three']) await send(first, `/queue/${name}`, body);
  const deliveries = await (await subscribe(first, `/queue/${name}`, 'client-individual')).take(3);
  await settle(first, 'ack', deliveries[1].message);
  first.destroy();
  const second = await connect();
  assert.deepEqual(texts(await (await subscribe(second, `/queue/${name}`)).take(2)), ['one', 'three']);
  await disconnect(second);
});

scenario('what is refused goes to the dead letter queue', async (name) => {
  const client = await connect();
  await send(client, `/queue/${name}`, 'poison');
  const { message } = await (await subscribe(client, `/queue/${name}`, 'client-individual')).next();
  await settle(client, 'nack', message);
  const dead = await (await subscribe(client, '/queue/ActiveMQ.DLQ')).next('a dead letter');
  assert.equal(dead.body.toString(), 'poison');
  assert.equal(dead.message.headers['original-destination'], `/queue/${name}`);
  await disconnect(client);
});

scenario('a transaction is seen when it commits', async (name) => {
  const client = await connect();
  const inbox = await subscribe(client, `/queue/${name}`);
  const aborted = client.begin();
  aborted.send({ destination: `/queue/${name}` }).end('never');
  aborted.abort();
  const committed = client.begin();
  committed.send({ destination: `/queue/${name}`, persistent: 'true' }).end('one');
  committed.send({ destination: `/queue/${name}`, persistent: 'true' }).end('two');
  await send(client, `/queue/${name}`, 'outside');
  assert.deepEqual(texts(await inbox.take(1)), ['outside']);
  await within(new Promise((resolve) => committed.commit({ onReceipt: resolve })), 'the commit');
  assert.deepEqual(texts(await inbox.take(2)), ['one', 'two']);
  await disconnect(client);
});

scenario('an acknowledgement in a transaction holds when it commits', async (name) => {
  const first = await connect();
  await send(first, `/queue/${name}`, 'one');
  await send(first, `/queue/${name}`, 'two');
  const deliveries = await (await subscribe(first, `/queue/${name}`, 'client-individual')).take(2);
  const aborted = first.begin();
  await settle(first, 'ack', deliveries[0].message, { transaction: aborted.id });
  aborted.abort();
  const committed = first.begin();
  await settle(first, 'ack', deliveries[1].message, { transaction: committed.id });
  await within(new Promise((resolve) => committed.commit({ onReceipt: resolve })), 'the commit');
  first.destroy();
  const second = await connect();
  const inbox = await subscribe(second, `/queue/${name}`);
  await send(second, `/queue/${name}`, 'three');
  assert.deepEqual(texts(await inbox.take(2)), ['one', 'three']);
  await disconnect(second);
});

scenario('a durable subscription keeps what came meanwhile', async (name) => {
  const identity = { 'client-id': 'stompit' };
  const durable = { 'activemq.subscriptionName': 'ledger' };
  const first = await connect(identity);
  await subscribe(first, `/topic/${name}`, 'client-individual', durable);
  await disconnect(first);
  const sender = await connect();
  await send(sender, `/topic/${name}`, 'absent');
  await disconnect(sender);
  const second = await connect(identity);
  const inbox = await subscribe(second, `/topic/${name}`, 'client-individual', durable);
  const { message, body } = await inbox.next();
  assert.equal(body.toString(), 'absent');
  await settle(second, 'ack', message);
  await disconnect(second);
});

scenario('heart-beats keep an idle connection', async (name) => {
  const client = await connect({ 'heart-beat': '300,300' });
  const inbox = await subscribe(client, `/queue/${name}`);
  // Idle for ten intervals: without heart-beats either side would have closed by then.
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await send(client, `/queue/${name}`, 'still here');
  assert.deepEqual(texts(await inbox.take(1)), ['still here']);
  await disconnect(client);
});

run('stompit');
