import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import type { ModelServerProcess } from '../support/echo-container.ts'
import { askGraph, startGraph } from '../support/graph-server.ts'
import { PostgresServer } from '../support/postgres.ts'
import { TcpRelay } from '../support/tcp-relay.ts'
import { until } from '../support/until.ts'

// What a URL must have escaped, and a log must never show.
const PASSWORD = 'geheim: /@%?#&'
const LONG = { timeoutMs: 30_000 }
const NAMES = { urlVariable: 'SHOP_URL', passwordVariable: 'SHOP_PASSWORD' }
const DATABASES = {
  shop: { postgres: { ...NAMES, connectionsMax: 2, ...LONG } },
  // One connection, nobody waits.
  narrow: { postgres: { ...NAMES, connectionsMax: 1, waitingMax: 0, ...LONG } },
  hasty: { postgres: { ...NAMES, timeoutMs: 100, breaker: { failures: 1, openMs: 600_000 } } },
  deaf: { postgres: { ...NAMES, timeoutMs: 500, breaker: { failures: 1000 } } },
  stranger: { postgres: { ...NAMES, passwordVariable: 'WRONG_PASSWORD', ...LONG } },
}
const ONE = {
  database: 'shop',
  query: 'SELECT * FROM customers WHERE id = $1',
  parameters: ['input'],
}
const CASES = {
  customer: { lookup: ONE },
  several: {
    lookup: {
      database: 'shop',
      query: 'SELECT id FROM customers WHERE id = ANY($1) ORDER BY id',
      parameters: ['input'],
      rows: 'all',
    },
  },
  valid: {
    sequence: {
      customer: { lookup: { ...ONE, parameters: ['input.customer'], into: 'customer' } },
      open: {
        rules: [
          {
            when: 'input.customer.blocked',
            rejectFrom: "'Customer ' + input.customer.name + ' is blocked.'",
            status: 403,
          },
        ],
      },
      row: { expression: '[input.amount, input.customer.balance]' },
    },
  },
  writing: {
    lookup: { database: 'shop', query: 'DELETE FROM customers RETURNING id', rows: 'all' },
  },
  two: { lookup: { database: 'shop', query: 'SELECT 1; SELECT 2' } },
  wrong: { lookup: { database: 'shop', query: 'SELECT nothing FROM customers' } },
  many: {
    lookup: {
      database: 'shop',
      query: 'SELECT generate_series(1, 1000000) AS n',
      rows: 'all',
      rowsMax: 10,
    },
  },
  held: {
    lookup: { database: 'narrow', query: 'SELECT pg_advisory_lock_shared(7)::text AS held' },
  },
  hasty: { lookup: { database: 'hasty', query: 'SELECT pg_sleep(600)::text AS slept' } },
  deaf: { lookup: { ...ONE, database: 'deaf' } },
  stranger: { lookup: { ...ONE, database: 'stranger' } },
}

let postgres: PostgresServer
let relay: TcpRelay
let graph: ModelServerProcess
const said: string[] = []

before(async () => {
  postgres = await PostgresServer.start(PASSWORD)
  relay = await TcpRelay.start(postgres.socketPath)
  await postgres.query(`
    CREATE TABLE customers (
      id bigint PRIMARY KEY, name text, balance numeric, blocked boolean,
      born date, seen timestamptz, tags text[], extra jsonb
    );
    INSERT INTO customers VALUES
      (7, 'Ada', 12.50, false, '1815-12-10', '2026-01-02T03:04:05Z', '{a,b}', '{"x": [1]}'),
      (9007199254740993, 'Bob', 'NaN', true, NULL, NULL, NULL, NULL);
  `)
  graph = await startGraph(
    { graph: { select: { on: 'attributes.case', cases: CASES } }, databases: DATABASES },
    {
      environment: {
        SHOP_URL: `postgres://berth@127.0.0.1:${relay.port}/postgres`,
        SHOP_PASSWORD: PASSWORD,
        WRONG_PASSWORD: 'falsch',
      },
      onOutput: (text) => said.push(text),
    },
  )
})
after(async () => {
  await graph?.[Symbol.asyncDispose]()
  await relay?.[Symbol.asyncDispose]()
  await postgres?.[Symbol.asyncDispose]()
})

async function ask(name: keyof typeof CASES, input: unknown = 1) {
  const { status, value } = await askGraph(graph.socketPath, JSON.stringify(input), `case=${name}`)
  said.push(JSON.stringify(value))
  return { status, value, error: String(Object(value).error) }
}

test('a row is JSON: numbers, days, moments, lists and objects', async () => {
  assert.deepEqual((await ask('customer', 7)).value, {
    id: 7,
    name: 'Ada',
    balance: 12.5,
    blocked: false,
    born: '1815-12-10',
    seen: '2026-01-02T03:04:05.000Z',
    tags: ['a', 'b'],
    extra: { x: [1] },
  })
  const { value } = await ask('customer', '9007199254740993')
  assert.deepEqual([Object(value).id, Object(value).balance], ['9007199254740993', 'NaN'])
  assert.deepEqual((await ask('several', [7, 8])).value, [{ id: 7 }])
})

test('a look-up validates input before a model sees it', async () => {
  assert.deepEqual((await ask('valid', { customer: 7, amount: 3 })).value, [3, 12.5])
  const blocked = await ask('valid', { customer: '9007199254740993', amount: 3 })
  assert.deepEqual([blocked.status, blocked.error], [403, 'Customer Bob is blocked.'])
  const unknown = await ask('valid', { customer: 8, amount: 3 })
  assert.deepEqual(
    [unknown.status, unknown.error],
    [404, 'Database shop has no row for this input.'],
  )
})

test('parameters are values: text is no query, and what is no number is the caller’s to mend', async () => {
  const { status, error } = await ask('customer', '7 OR 1=1')
  assert.equal(status, 400)
  assert.match(error, /does not take the parameters: invalid input syntax for type bigint/)
})

test('what a description gets wrong is told; the connection lives on', async () => {
  assert.match((await ask('wrong')).error, /column "nothing" does not exist \(42703\)/)
  assert.match((await ask('two')).error, /cannot insert multiple commands/)
  assert.match((await ask('writing')).error, /cannot execute DELETE in a read-only transaction/)
  const many = await ask('many')
  assert.deepEqual([many.status, many.error], [502, 'The query gives more than 10 rows.'])
  assert.equal((await ask('customer', 7)).status, 200)
})

test('connections are bounded, and so is who waits for one', async () => {
  const sessions = async (what: string): Promise<number> => {
    const [row] = await postgres.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'berth/graph' AND ${what}`,
    )
    return Number(row?.['n'])
  }
  await Promise.all(Array.from({ length: 20 }, () => ask('customer', 7)))
  const used = await sessions('true')
  assert.ok(used <= 2, `${used} sessions`)
  await using lock = await postgres.session()
  await lock.query('SELECT pg_advisory_lock(7)')
  const held = ask('held')
  await until('the look-up to wait for the lock', async () => {
    return (await sessions("wait_event_type = 'Lock'")) === 1
  })
  const refused = await ask('held')
  const says = 'Database narrow has 0 look-ups waiting; 0 are allowed.'
  assert.deepEqual([refused.status, refused.error], [503, says])
  await lock.query('SELECT pg_advisory_unlock(7)')
  assert.equal((await held).status, 200)
})

test('a query that takes too long is given up here and there, and the database left alone', async () => {
  const late = await ask('hasty')
  assert.equal(late.status, 504)
  assert.match(late.error, /^Database hasty gave no answer (within 100 ms|in time)\.$/)
  assert.match((await ask('hasty')).error, /database hasty keeps failing and is left alone/)
  await until('the server to end the query', async () => {
    const [row] = await postgres.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND state = 'active' AND pid <> pg_backend_pid()",
    )
    return row?.['n'] === 0
  })
})

test('a server that goes is said to be away, without its address, and used again when it is back', async () => {
  assert.equal((await ask('customer', 7)).status, 200)
  await postgres.halt()
  const away = await ask('customer', 7)
  assert.equal(away.status, 503)
  assert.match(away.error, /^Database shop cannot be reached \(\w+\)\.$/)
  await postgres.resume()
  await until('the look-up to work again', async () => (await ask('customer', 7)).status === 200)
})

test('a network that swallows what is said costs the time limit, not the graph', async () => {
  relay.beDeaf()
  const { status, error } = await ask('deaf', 7)
  assert.equal(status, 504)
  assert.match(error, /^Database deaf gave no answer (within 500 ms|in time)\.$/)
  relay.hear()
  await until('the look-up to work again', async () => (await ask('deaf', 7)).status === 200)
})

test('a wrong password is told as such, and no password is told to anybody', async () => {
  const stranger = await ask('stranger', 7)
  assert.deepEqual(
    [stranger.status, stranger.error],
    [502, 'Database stranger does not let the graph in (28P01).'],
  )
  await until('the log to tell', () => said.some((text) => text.includes('database failed')))
  const all = said.join('')
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'falsch', '127.0.0.1']) {
    assert.ok(!all.includes(secret), secret)
  }
})

test('a missing or wrong variable ends the start without saying what it holds', async () => {
  const databases = { shop: DATABASES.shop }
  const start = (environment: Readonly<Record<string, string>>) =>
    startGraph({ graph: { lookup: ONE }, databases }, { environment })
  await assert.rejects(start({ SHOP_URL: `mysql://berth:${PASSWORD}@x/y` }), /exit code 20/)
})
