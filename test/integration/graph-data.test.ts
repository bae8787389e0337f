import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'

import { runFeaturesLoad } from '../../src/cli/features/load.ts'
import { createTerminal } from '../../src/cli/terminal/terminal.ts'
import type { ModelServerProcess } from '../support/echo-container.ts'
import { askGraph, startGraph } from '../support/graph-server.ts'
import { runCli } from '../support/run-cli.ts'
import { until } from '../support/until.ts'

const folder = mkdtempSync(join(tmpdir(), 'berth-data-'))
const CUSTOMERS = join(folder, 'customers.db')
const VECTORS = join(folder, 'vectors.db')
const LIVE = join(folder, 'live.db')
const RATES = join(folder, 'rates.db')
const CSV = `id,age,score,vip,zip
7,34,0.25,true,00501
8,51,1,false,10001
9,,0.5,true,00000
`
const JSONL = `{"id": "a", "vector": [0.5, 1], "name": "A \\"b\\""}\n\n{"id": "7", "vector": [2, 3]}\n`

const RATE = 'SELECT rate, big FROM rates WHERE country = $1 AND since = $2'
const SINCE =
  'SELECT since FROM rates WHERE country IN (SELECT value FROM json_each($1)) ORDER BY 1'
const ENDLESS =
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS most FROM n'

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

async function load(file: string, into: string): Promise<void> {
  const terminal = { ...createTerminal(), print: () => undefined }
  assert.equal(await runFeaturesLoad(file, { key: 'id', into }, terminal), 'ok')
}

const SLOW = { timeoutMs: 30_000 }
const DATABASES = {
  customers: { features: { file: 'customers.db' } },
  vectors: { features: { file: 'vectors.db' } },
  live: { features: { fileVariable: 'LIVE' } },
  rates: { sqlite: { fileVariable: 'RATES', ...SLOW } },
  // Long enough for nobody: whatever is asked, its time is over first.
  endless: {
    sqlite: { fileVariable: 'RATES', timeoutMs: 100, breaker: { failures: 1, openMs: 600_000 } },
  },
}
const FOUND = { database: 'rates', query: RATE, parameters: ['input.country', 'input.since'] }
const LISTED = { database: 'rates', query: SINCE, parameters: ['input'], rows: 'all' }
const BY_ID = { database: 'customers', key: 'input.id' }
/** One graph of everything; the attribute `case` says what is asked. */
const CASES = {
  row: { features: BY_ID },
  rows: {
    features: {
      ...BY_ID,
      columns: ['score', 'age'],
      as: 'list',
      defaults: { age: 40 },
      into: 'rows',
    },
  },
  vector: { features: { database: 'vectors', key: 'input' } },
  live: { features: { database: 'live', key: 'input' } },
  found: { lookup: { ...FOUND, into: 'found' } },
  worded: {
    lookup: {
      ...FOUND,
      missing: { rejectFrom: "'There is no rate for ' + input.country + '.'", status: 422 },
    },
  },
  listed: { lookup: LISTED },
  bounded: { lookup: { ...LISTED, rowsMax: 1 } },
  optional: { lookup: { ...LISTED, rows: 'optional' } },
  bytes: { lookup: { database: 'rates', query: 'SELECT bytes FROM raw' } },
  deleting: {
    lookup: { database: 'rates', query: 'DELETE FROM rates RETURNING since', rows: 'all' },
  },
  endless: { lookup: { database: 'endless', query: ENDLESS } },
}

let graph: ModelServerProcess

function startData(node: object, databases: object): Promise<ModelServerProcess> {
  return startGraph(
    { graph: node, databases },
    { modelDirectory: folder, environment: { RATES, LIVE } },
  )
}

async function ask(name: keyof typeof CASES, input: unknown) {
  const { status, value } = await askGraph(graph.socketPath, JSON.stringify(input), `case=${name}`)
  return { status, value, error: String(Object(value).error) }
}

before(async () => {
  const { exitCode, stdout, stderr } = await runCli([
    'features',
    'load',
    write('customers.csv', CSV),
    '--key',
    'id',
    '--into',
    CUSTOMERS,
  ])
  assert.equal(exitCode, 0, stderr)
  const columns = 'age (integer), score (real), vip (boolean), zip (text)'
  assert.equal(stdout, `${CUSTOMERS}: 3 rows by id (integer): ${columns}\n`)
  copyFileSync(CUSTOMERS, LIVE)
  await load(write('vectors.jsonl', JSONL), VECTORS)
  using database = new DatabaseSync(RATES)
  database.exec(`
    CREATE TABLE rates (country TEXT, since INTEGER, rate REAL, big INTEGER);
    INSERT INTO rates VALUES ('de', 1, 0.19, 9007199254740993), ('de', 2, 0.16, 2), ('fr', 1, 0.2, 3);
    CREATE TABLE raw (bytes BLOB);
    INSERT INTO raw VALUES (x'00ff');
  `)
  graph = await startData({ select: { on: 'attributes.case', cases: CASES } }, DATABASES)
})
after(async () => {
  await graph[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

suite('features by key', () => {
  test('a key gives a row; as a number, as text', async () => {
    const row = { age: 34, score: 0.25, vip: true, zip: '00501' }
    for (const id of [7, '7']) {
      const { status, value } = await ask('row', { id })
      assert.deepEqual([status, value], [200, row])
    }
    const missing = await ask('row', { id: 70 })
    assert.deepEqual(
      [missing.status, missing.error],
      [404, 'Feature table customers has no id 70.'],
    )
    const odd = await ask('row', { id: [[1]] })
    assert.deepEqual([odd.status, odd.error], [400, 'key gives [1]; text or a number is needed.'])
  })

  test('a list of keys gives rows for a model, with defaults for those that are not there', async () => {
    const { value } = await ask('rows', { id: [8, 404, 9] })
    const rows = [
      [1, 51],
      [null, 40],
      [0.5, null],
    ]
    assert.deepEqual(value, { id: [8, 404, 9], rows })
  })

  test('lists are kept as lists, and text as text', async () => {
    assert.deepEqual((await ask('vector', 7)).value, { vector: [2, 3], name: null })
    assert.deepEqual((await ask('vector', 'a')).value, { vector: [0.5, 1], name: 'A "b"' })
  })

  test('another file takes the place of the first while it is asked; a broken one does not', async () => {
    const ageOf = async (): Promise<unknown> => Object((await ask('live', 8)).value).age
    assert.equal(await ageOf(), 51)
    renameSync(write('broken.db', 'no database at all'), LIVE)
    assert.equal(await ageOf(), 51)
    await load(write('next.csv', CSV.replace('51', '52')), LIVE)
    await until('the new table to be read', async () => (await ageOf()) === 52)
  })

  test('a file that is no feature table ends the start', async () => {
    const wrong = { customers: { features: { file: 'rates.db' } } }
    await assert.rejects(startData({ features: BY_ID }, wrong), /exit code 22/)
    const nowhere = { customers: { features: { file: 'nowhere.db' } } }
    await assert.rejects(startData({ features: BY_ID }, nowhere), /exit code 21/)
  })
})

suite('a file that cannot be loaded is refused with its line, and what was there stays', () => {
  for (const [text, says] of [
    [`${CSV}7,1,1,true,1\n`, /Line 5: id 7 is there twice/],
    [`${CSV},1,1,true,1\n`, /Line 5 has no id/],
    [CSV.replace('id,', 'key,'), /has no column id; it has key, age/],
    ['id\n1.5\n', /Column id holds real; a key is text or a whole number/],
    ['id,a\n1\n', /Invalid Record Length/],
    ['id,id\n1,2\n', /Column id is there twice/],
    ['id,a\n', /no rows/],
  ] as const) {
    test(String(says), async () => {
      const before = readFileSync(CUSTOMERS)
      await assert.rejects(load(write('wrong.csv', text), CUSTOMERS), { message: says })
      assert.deepEqual(readFileSync(CUSTOMERS), before)
      assert.deepEqual(
        readdirSync(folder).filter((name) => name.endsWith('.tmp')),
        [],
      )
    })
  }
})

suite('look-ups in SQLite', () => {
  test('what is asked for is bound, whatever it is made of', async () => {
    const input = { country: 'de', since: 1 }
    const found = { rate: 0.19, big: '9007199254740993' }
    assert.deepEqual((await ask('found', input)).value, { ...input, found })
    const { status, error } = await ask('found', { country: "de' OR '1'='1", since: 1 })
    assert.deepEqual([status, error], [404, 'Database rates has no row for this input.'])
  })

  test('input without a row is refused in the words of the description', async () => {
    const refused = await ask('worded', { country: 'it', since: 1 })
    assert.deepEqual([refused.status, refused.error], [422, 'There is no rate for it.'])
    const absent = await ask('worded', { country: 'it' })
    assert.equal(absent.status, 400)
    assert.match(absent.error, /expression input.since has no value for this input/)
  })

  test('a list is a parameter as JSON; several rows are an answer or an error', async () => {
    assert.deepEqual((await ask('listed', ['de'])).value, [{ since: 1 }, { since: 2 }])
    const many = await ask('bounded', ['de'])
    const says = 'The query of database rates fails: The query gives more than 1 rows.'
    assert.deepEqual([many.status, many.error], [502, says])
    assert.equal((await ask('optional', ['it'])).value, null)
    assert.match((await ask('optional', ['de'])).error, /several rows/)
    assert.match((await ask('bytes', 1)).error, /Column bytes holds bytes/)
  })

  test('a query without an end costs its time; others go on, and it is left alone', async () => {
    const endless = ask('endless', 1)
    assert.equal((await ask('found', { country: 'fr', since: 1 })).status, 200)
    const late = await endless
    const says = 'Database endless gave no answer within 100 ms.'
    assert.deepEqual([late.status, late.error], [504, says])
    const refused = await ask('endless', 1)
    assert.equal(refused.status, 503)
    assert.match(refused.error, /database endless keeps failing and is left alone/)
  })

  test('a query that writes is refused, one that is wrong ends the start', async () => {
    assert.match((await ask('deleting', 1)).error, /readonly database/)
    const wrong = { database: 'rates', query: 'SELECT nothing FROM rates' }
    const { rates } = DATABASES
    await assert.rejects(startData({ lookup: wrong }, { rates }), /exit code 22/)
  })
})
