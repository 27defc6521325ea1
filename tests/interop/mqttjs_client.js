// MQTT.js against the broker, in MQTT 3.1, 3.1.1 and 5.0: over TCP at $MQTT_PORT, or, as a browser does it,
// over WebSocket at $WS_PORT (`mqttjs_client.js ws`); see foreign_client_test.py.
'use strict';

const mqtt = require('mqtt');
const { assert, Inbox, run, scenario, TEXT, within } = require('./scenarios');

const LEVELS = {
  '3.1': { protocolId: 'MQIsdp', protocolVersion: 3 },
  '3.1.1': { protocolVersion: 4 },
  '5.0': { protocolVersion: 5 },
};
const URL = process.argv[2] === 'ws' ? `ws://127.0.0.1:${process.env.WS_PORT}/mqtt`
  : `mqtt://127.0.0.1:${process.env.MQTT_PORT}`;
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
let clients = 0;

// A connected client with its CONNACK in `connack` and what comes in `inbox`.
async function connect(level, options = {}) {
  const client = mqtt.connect(URL, {
    ...LEVELS[level], clientId: `js-${++clients}`, reconnectPeriod: 0, ...options,
  });
  client.inbox = new Inbox();
  client.on('message', (topic, payload, packet) => client.inbox.put(packet));
  client.connack = await within(new Promise((resolve, reject) => {
    client.on('connect', resolve);
    client.on('error', reject);
  }), 'CONNACK');
  return client;
}

// What the broker granted.
async function subscribe(client, filter, options = { qos: 2 }) {
  return within(client.subscribeAsync(filter, options), 'SUBACK');
}

const publish = (client, topic, payload, options) =>
  within(client.publishAsync(topic, payload, options), 'the acknowledgement');
const end = (...all) => Promise.all(all.map((client) => within(client.endAsync(), 'the end')));

scenario('every level and QoS', async (name) => {
  for (const level of Object.keys(LEVELS)) {
    const client = await connect(level);
    const topic = `${name}/${level}`;
    assert.deepEqual((await subscribe(client, `${topic}/#`)).map((each) => each.qos), [2]);
    for (const qos of [0, 1, 2]) {
      await publish(client, `${topic}/${qos}`, TEXT, { qos });
      const got = await client.inbox.next();
      assert.deepEqual([got.topic, got.payload.toString(), got.qos, got.retain, got.dup],
        [`${topic}/${qos}`, TEXT, qos, false, false]);
    }
    await within(client.unsubscribeAsync(`${topic}/#`), 'UNSUBACK');
    await end(client);
  }
});

scenario('a thousand at once in order', async (name) => {
  for (const level of ['3.1.1', '5.0']) {
    for (const qos of [1, 2]) {
      // A receive maximum far below what is on its way: the broker and the library keep to it.
      const properties = level === '5.0' ? { receiveMaximum: 5 } : undefined;
      const [sender, receiver] = await Promise.all([connect(level), connect(level, { properties })]);
      const topic = `${name}/${level}/${qos}`;
      await subscribe(receiver, topic);
      await Promise.all(Array.from({ length: 1000 },
        (_, number) => publish(sender, topic, String(number), { qos })));
      const got = await receiver.inbox.take(1000);
      assert.deepEqual(got.map((each) => Number(each.payload)), [...Array(1000).keys()]);
      await end(sender, receiver);
    }
  }
});

scenario('large binary payload', async (name) => {
  const payload = Buffer.alloc(3_000_000, Uint8Array.from({ length: 256 }, (_, index) => index));
  const client = await connect('5.0');
  await subscribe(client, name);
  for (const qos of [0, 1, 2]) {
    await publish(client, name, payload, { qos });
    assert.ok((await client.inbox.next()).payload.equals(payload));
  }
  await end(client);
});

scenario('every property', async (name) => {
  const client = await connect('5.0');
  await subscribe(client, name, { qos: 1, properties: { subscriptionIdentifier: 4711 } });
  const properties = {
    payloadFormatIndicator: true, messageExpiryInterval: 1000, contentType: 'text/ü',
    responseTopic: 'an/swer', correlationData: Buffer.from([0, 255, 1]),
    userProperties: { k: ['2', '1', '2'], z: 'ü' },
  };
  await publish(client, name, 'x', { qos: 1, properties });
  const got = (await client.inbox.next()).properties;
  assert.equal(got.subscriptionIdentifier, 4711);
  assert.ok(got.messageExpiryInterval > 900 && got.messageExpiryInterval <= 1000);
  for (const each of ['payloadFormatIndicator', 'contentType', 'responseTopic', 'correlationData']) {
    assert.deepEqual(got[each], properties[each], each);
  }
  assert.deepEqual({ ...got.userProperties }, properties.userProperties);
  await end(client);
});

scenario('topic aliases', async (name) => {
  const sender = await connect('5.0', { autoAssignTopicAlias: true });
  assert.ok(sender.connack.properties.topicAliasMaximum > 0);
  const receiver = await connect('5.0', { properties: { topicAliasMaximum: 2 } });
  await subscribe(receiver, `${name}/#`);
  const topics = [0, 1, 2, 0, 1, 2, 2, 1, 0].map((number) => `${name}/${number}`);
  for (const topic of topics) await publish(sender, topic, topic, { qos: 1 });
  for (const topic of topics) {
    const got = await receiver.inbox.next();
    // A known alias comes without a name; the library knows which it was.
    assert.equal(got.payload.toString(), topic);
    assert.ok(got.topic === topic || got.properties.topicAlias > 0);
  }
  await end(sender, receiver);
});

scenario('a kept session', async (name) => {
  for (const level of ['3.1.1', '5.0']) {
    for (const qos of [1, 2]) {
      const clientId = `${name}-${level}-${qos}`;
      const kept = { ...KEPT, clientId, ...(level === '5.0' ? {} : { properties: undefined }) };
      let client = await connect(level, kept);
      assert.equal(client.connack.sessionPresent, false);
      await subscribe(client, `${clientId}/#`, { qos });
      await end(client);
      const sender = await connect(level);
      for (let number = 0; number < 100; ++number) {
        await publish(sender, `${clientId}/x`, String(number), { qos });
      }
      client = await connect(level, kept);
      assert.equal(client.connack.sessionPresent, true);
      const got = await client.inbox.take(100);
      assert.deepEqual(got.map((each) => Number(each.payload)), [...Array(100).keys()]);
      await end(client, sender);
      client = await connect(level, { ...kept, clean: true, properties: undefined });
      assert.equal(client.connack.sessionPresent, false);
      await end(client);
    }
  }
});

scenario('retained messages', async (name) => {
  const client = await connect('5.0');
  await publish(client, name, 'kept', { qos: 1, retain: true });
  await subscribe(client, name, { qos: 1 });
  const got = await client.inbox.next();
  assert.deepEqual([got.payload.toString(), got.retain], ['kept', true]);
  await subscribe(client, name, { qos: 1, rh: 1 });  // not again
  await subscribe(client, name, { qos: 1, rh: 2, rap: true });
  await publish(client, name, '', { qos: 1, retain: true });
  const cleared = await client.inbox.next();
  assert.deepEqual([cleared.payload.length, cleared.retain], [0, true]);
  const other = await connect('3.1.1');
  await subscribe(other, name, { qos: 1 });
  await publish(other, name, 'marker', { qos: 1 });
  assert.equal((await other.inbox.next()).payload.toString(), 'marker');
  await end(client, other);
});

scenario('options of a subscription', async (name) => {
  const client = await connect('5.0');
  await subscribe(client, name, { qos: 1, nl: true });
  await publish(client, name, 'own', { qos: 1 });
  const other = await connect('5.0');
  await publish(other, name, 'other', { qos: 1 });
  assert.equal((await client.inbox.next()).payload.toString(), 'other');
  await end(client, other);
});

scenario('shared subscription', async (name) => {
  const members = await Promise.all([connect('5.0'), connect('3.1.1'), connect('5.0')]);
  for (const member of members) await subscribe(member, `$share/${name}/${name}/#`, { qos: 1 });
  const sender = await connect('5.0');
  for (let number = 0; number < 30; ++number) {
    await publish(sender, `${name}/${number}`, String(number), { qos: 1 });
  }
  const got = (await Promise.all(members.map((member) => member.inbox.take(10)))).flat();
  assert.equal(new Set(got.map((each) => each.payload.toString())).size, 30);
  await end(sender, ...members);
});

scenario('a will', async (name) => {
  for (const level of Object.keys(LEVELS)) {
    const listener = await connect(level);
    await subscribe(listener, `${name}/${level}`);
    const will = { topic: `${name}/${level}`, payload: Buffer.from('gone'), qos: 1, retain: false };
    const dying = await connect(level, { will });
    dying.stream.destroy();
    assert.equal((await listener.inbox.next()).payload.toString(), 'gone');
    await end(listener);
  }
});

scenario('reasons', async () => {
  const client = await connect('5.0');
  const refused = await client.publishAsync('$SYS/x', 'x', { qos: 1 }).then(() => 0, (error) => error.code);
  assert.equal(refused, 0x87);
  await publish(client, 'nobody/listens', 'x', { qos: 1 });
  // The session goes to who comes last, and the other hears why.
  const told = new Promise((resolve) => client.on('disconnect', resolve));
  const newcomer = await connect('5.0', { clientId: client.options.clientId });
  assert.equal((await within(told, 'DISCONNECT')).reasonCode, 0x8e);
  client.end(true);
  const nameless = await connect('5.0', { clientId: '' });
  assert.ok(nameless.connack.properties.assignedClientIdentifier.length > 0);
  await end(newcomer, nameless);
});

run('js');
