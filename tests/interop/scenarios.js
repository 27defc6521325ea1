// What the Node.js client scripts share; see foreign_client_test.py.
'use strict';

const assert = require('node:assert/strict');

const WAIT_MS = 60000;
const TEXT = 'payroll für 김철수 ☂ 🐎';
const queued = [];

// Registers one scenario; run() runs them in turn.
function scenario(name, body) {
  queued.push([name, body]);
}

// `promise`, or an error that says what was waited for in vain.
function within(promise, what) {
  let timer;
  const expiry = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${WAIT_MS} ms in vain for ${what}`)), WAIT_MS);
  });
  return Promise.race([promise, expiry]).finally(() => clearTimeout(timer));
}

// A queue whose reader waits: put() from callbacks, await next() in the scenario.
class Inbox {
  constructor() {
    this.items = [];
    this.readers = [];
  }

  put(item) {
    const reader = this.readers.shift();
    if (reader) reader(item);
    else this.items.push(item);
  }

  async next(what = 'a message') {
    if (this.items.length > 0) return this.items.shift();
    return within(new Promise((resolve) => this.readers.push(resolve)), what);
  }

  async take(count) {
    const taken = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}

async function run(prefix) {
  try {
    for (const [name, body] of queued) {
      await within(body(`${prefix}.${name.replaceAll(' ', '-')}`), `scenario ${name}`);
      console.log(`ok ${name}`);
    }
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  process.exit(0);
}

module.exports = { assert, Inbox, run, scenario, TEXT, within };
