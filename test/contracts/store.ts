import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeArn } from '../../src/domain/arn.ts'
import type { CompilationStatus } from '../../src/domain/compilation-job.ts'
import type { EndpointConfig } from '../../src/domain/endpoint-config.ts'
import type { Endpoint } from '../../src/domain/endpoint.ts'
import type { EndpointEvent } from '../../src/domain/event.ts'
import type { Generation } from '../../src/domain/fleet.ts'
import type { Model } from '../../src/domain/model.ts'
import type { ListCursor, ListQuery, Page, Store } from '../../src/ports/store.ts'
import { compilationJob } from '../support/compilations.ts'

const AT = { accountId: '000000000000', region: 'us-east-1' }

/** A model with a name; the rest is filled in. */
export function aModel(name: string, createdAtMs = 1_700_000_000_000): Model {
  return {
    name,
    arn: encodeArn(AT, 'model', name),
    createdAtMs,
    containers: [
      { hostname: 'primary', image: 'berth/echo', environment: { A: 'é' }, modelData: undefined },
    ],
    request: { ModelName: name, PrimaryContainer: { Image: 'berth/echo' } },
  }
}

/** An endpoint config with a name; the rest is filled in. */
export function aConfig(name: string, createdAtMs = 1_700_000_000_000): EndpointConfig {
  const arn = encodeArn(AT, 'endpoint-config', name)
  return { name, arn, createdAtMs, variants: [], request: { EndpointConfigName: name } }
}

/** A generation with one variant. */
export function aGeneration(number = 1): Generation {
  return {
    number,
    configName: 'config',
    variants: [
      {
        variantName: 'AllTraffic',
        modelName: 'model',
        containers: aModel('model').containers,
        instanceType: 'ml.m5.large',
        routingStrategy: 'RANDOM',
        modelDataDownloadTimeoutMs: 60_000,
        startupHealthTimeoutMs: 60_000,
        desiredInstanceCount: 1,
        desiredWeight: 1,
        currentInstanceCount: 0,
        currentWeight: 0,
      },
    ],
  }
}

/** An endpoint being created; fields can be replaced. */
export function anEndpoint(name: string, fields: Partial<Endpoint> = {}): Endpoint {
  return {
    name,
    arn: encodeArn(AT, 'endpoint', name),
    endpointId: '0123456789ab',
    createdAtMs: 1_700_000_000_000,
    modifiedAtMs: 1_700_000_000_000,
    status: 'Creating',
    failureReason: undefined,
    configName: 'config',
    serving: undefined,
    deployment: { kind: 'create', green: aGeneration(), startedAtMs: 1_700_000_000_000 },
    lastGeneration: 1,
    lastDeploymentConfig: undefined,
    revision: 1,
    ...fields,
  }
}

/** A list query without filters, newest first. */
export function aQuery(fields: Partial<ListQuery> = {}): ListQuery {
  return {
    sortBy: 'CreationTime',
    descending: true,
    limit: 10,
    after: undefined,
    nameContains: undefined,
    createdAfterMs: undefined,
    createdBeforeMs: undefined,
    ...fields,
  }
}

/** An event; `atMs` tells it from others. */
export function anEvent(endpointName: string, atMs: number): EndpointEvent {
  return { atMs, endpointName, kind: 'status-changed', reason: 'because', inputs: { atMs } }
}

/** What every store must do. `open` gives an empty one; it is closed by the suite. */
export function storeContract(name: string, open: () => Promise<Store>): void {
  describe(`${name} is a store`, () => {
    let store: Store
    before(async () => {
      store = await open()
    })
    after(() => store.close())

    modelCases(() => store)
    endpointCases(() => store)
    compilationCases(() => store)
    tagCases(() => store)
    eventCases(() => store)
  })
  describe(`${name} lists`, () => listCases(open))
}

function modelCases(store: () => Store): void {
  test('a model is found again under its name in any case, as it was inserted', async () => {
    const model = aModel('Digits-A')
    assert.equal(await store().insertModel(model, {}), true)
    assert.deepEqual(plain(await store().findModel('dIGITS-a')), plain(model))
  })

  test('a model whose name differs only in case is a duplicate and changes nothing', async () => {
    assert.equal(await store().insertModel(aModel('Digits-B', 1), {}), true)
    assert.equal(await store().insertModel(aModel('digits-b', 2), { k: 'v' }), false)
    assert.equal((await store().findModel('digits-b'))?.name, 'Digits-B')
    assert.deepEqual(await store().findTags(aModel('digits-b').arn), {})
  })

  test('a deleted model is gone, its tags too, and its name is free', async () => {
    assert.equal(await store().insertModel(aModel('digits-c'), { k: 'v' }), true)
    assert.equal(await store().deleteModel('DIGITS-C'), true)
    assert.equal(await store().deleteModel('digits-c'), false)
    assert.equal(await store().findModel('digits-c'), undefined)
    assert.equal(await store().findTags(aModel('digits-c').arn), undefined)
    assert.equal(await store().insertModel(aModel('digits-c'), {}), true)
  })

  test('endpoint configs have names of their own and the same rules', async () => {
    const config = aConfig('Digits-A')
    assert.equal(await store().insertEndpointConfig(config, { team: 'x' }), true)
    assert.equal(await store().insertEndpointConfig(aConfig('digits-a'), {}), false)
    assert.deepEqual(plain(await store().findEndpointConfig('digits-a')), plain(config))
    assert.deepEqual(await store().findTags(config.arn), { team: 'x' })
    assert.equal(await store().deleteEndpointConfig('digits-A'), true)
    assert.equal(await store().findEndpointConfig('digits-a'), undefined)
  })
}

function endpointCases(store: () => Store): void {
  test('an endpoint is found again with every field', async () => {
    const endpoint = anEndpoint('Full', {
      serving: aGeneration(3),
      failureReason: 'it\n"failed"',
      lastDeploymentConfig: { BlueGreenUpdatePolicy: { TerminationWaitInSeconds: 0 } },
    })
    await store().insertEndpoint(endpoint, {})
    assert.deepEqual(await store().findEndpoint('full'), plainWithAbsent(endpoint))
  })

  test('of two writers who saw the same revision one wins', async () => {
    await store().insertEndpoint(anEndpoint('race'), {})
    const seen = await found(store(), 'race')
    const results = await Promise.all([
      store().saveEndpoint({ ...seen, status: 'InService' }),
      store().saveEndpoint({ ...seen, status: 'Failed' }),
    ])
    assert.deepEqual(results, [true, false])
    const now = await found(store(), 'race')
    assert.equal(now.status, 'InService')
    assert.equal(now.revision, seen.revision + 1)
    assert.equal(await store().saveEndpoint({ ...now, status: 'Updating' }), true)
  })

  test('a write meant for an earlier endpoint of the same name does nothing', async () => {
    await store().insertEndpoint(anEndpoint('reborn', { endpointId: 'aaaaaaaaaaaa' }), {})
    const old = await found(store(), 'reborn')
    assert.equal(await store().removeEndpoint('reborn', old.revision), true)
    assert.equal(await store().saveEndpoint(old), false)
    await store().insertEndpoint(anEndpoint('reborn', { endpointId: 'bbbbbbbbbbbb' }), {})
    assert.equal(await store().saveEndpoint({ ...old, status: 'Failed' }), false)
    assert.equal((await found(store(), 'reborn')).status, 'Creating')
  })

  test('an endpoint is removed only at the revision that was seen', async () => {
    await store().insertEndpoint(anEndpoint('kept'), {})
    const seen = await found(store(), 'kept')
    await store().saveEndpoint(seen)
    assert.equal(await store().removeEndpoint('kept', seen.revision), false)
    assert.equal(await store().removeEndpoint('KEPT', seen.revision + 1), true)
    assert.equal(await store().findEndpoint('kept'), undefined)
  })

  test('names of all endpoints are listed as they were given', async () => {
    await store().insertEndpoint(anEndpoint('Named-One'), {})
    assert.ok((await store().listEndpointNames()).includes('Named-One'))
  })

  test('a listener hears of an insert, a save and a removal, not of writes that did not happen', async () => {
    const heard: string[] = []
    const stop = store().onEndpointChange((name) => heard.push(name))
    await store().insertEndpoint(anEndpoint('Heard'), {})
    await store().insertEndpoint(anEndpoint('heard'), {})
    const seen = await found(store(), 'heard')
    await store().saveEndpoint(seen)
    await store().saveEndpoint(seen)
    await store().removeEndpoint('Heard', seen.revision + 1)
    await settle()
    stop()
    await store().insertEndpoint(anEndpoint('Unheard'), {})
    await settle()
    assert.deepEqual(heard, ['Heard', 'Heard', 'Heard'])
  })
}

function compilationCases(store: () => Store): void {
  test('a compilation job is found again with every field, under its name in any case', async () => {
    const job = compilationJob({
      name: 'Job-Full',
      startedAtMs: 1,
      endedAtMs: 2,
      failureReason: 'it\n"failed"',
      shapes: { x: [1, -1] },
      compiled: { digest: 'sha256:0', inputConfig: '{}' },
    })
    assert.equal(await store().insertCompilationJob(job, { k: 'v' }), true)
    assert.equal(await store().insertCompilationJob({ ...job, name: 'job-full' }, {}), false)
    assert.deepEqual(plain(await store().findCompilationJob('JOB-full')), plain(job))
    assert.deepEqual(await store().findTags(job.arn), { k: 'v' })
  })

  test('of two writers of a job one wins; a removed one is gone with its tags', async () => {
    await store().insertCompilationJob(compilationJob({ name: 'job-race' }), {})
    const seen = await store().findCompilationJob('job-race')
    assert.ok(seen)
    assert.equal(await store().saveCompilationJob({ ...seen, status: 'STOPPING' }), true)
    assert.equal(await store().saveCompilationJob({ ...seen, status: 'COMPLETED' }), false)
    assert.equal(await store().removeCompilationJob('job-race', seen.revision), false)
    assert.equal(await store().removeCompilationJob('JOB-RACE', seen.revision + 1), true)
    assert.equal(await store().findCompilationJob('job-race'), undefined)
    assert.equal(await store().findTags(seen.arn), undefined)
    await store().insertCompilationJob(compilationJob({ name: 'job-race', jobId: 'other' }), {})
    assert.equal(await store().saveCompilationJob(seen), false)
  })

  test('active jobs are those that are not over, oldest first', async () => {
    const of = (name: string, status: CompilationStatus, createdAtMs: number) =>
      store().insertCompilationJob(compilationJob({ name, status, createdAtMs }), {})
    await of('active-c', 'STARTING', 3)
    await of('active-b', 'INPROGRESS', 2)
    await of('active-a', 'STOPPING', 2)
    for (const status of ['COMPLETED', 'FAILED', 'STOPPED'] as const) {
      await of(`active-${status}`, status, 1)
    }
    const names = (await store().listActiveCompilationJobs()).map(({ name }) => name)
    assert.deepEqual(
      names.filter((name) => name.startsWith('active')),
      ['active-a', 'active-b', 'active-c'],
    )
    const query = aQuery({ nameContains: 'active', sortBy: 'Status', descending: false })
    const { items } = await store().listCompilationJobs(query)
    assert.equal(items.length, 6)
    const stopped = await store().listCompilationJobs({ ...query, status: 'STOPPED' })
    assert.deepEqual(
      stopped.items.map(({ name, target }) => [name, target]),
      [['active-STOPPED', { kind: 'device', device: 'ml_c5' }]],
    )
  })

  test('a listener hears of changes of jobs', async () => {
    let heardCount = 0
    const stop = store().onCompilationJobChange(() => (heardCount += 1))
    await store().insertCompilationJob(compilationJob({ name: 'job-heard' }), {})
    await store().insertCompilationJob(compilationJob({ name: 'job-HEARD' }), {})
    await store().removeCompilationJob('job-heard', 0)
    await Promise.resolve()
    stop()
    await store().insertCompilationJob(compilationJob({ name: 'job-heard' }), {})
    await Promise.resolve()
    assert.equal(heardCount, 2)
  })
}

function tagCases(store: () => Store): void {
  const arn = aModel('tagged').arn

  test('tags are added, replaced and removed by key', async () => {
    await store().insertModel(aModel('tagged'), { a: '1', b: '2' })
    const outcome = await store().updateTags(arn, { b: '3', c: '' }, ['a', 'absent'])
    assert.deepEqual(outcome, { kind: 'updated', tags: { b: '3', c: '' } })
    assert.deepEqual(await store().findTags(arn), { b: '3', c: '' })
  })

  test('a key that means something to JavaScript is a key like any other', async () => {
    const tags = Object.fromEntries([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
    await store().insertModel(aModel('odd-tags'), tags)
    const read = await store().findTags(aModel('odd-tags').arn)
    assert.deepEqual(Object.entries(read ?? {}), Object.entries(tags))
  })

  test('fifty tags fit, one more writes nothing', async () => {
    const fifty = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`k${at}`, 'v']))
    await store().insertModel(aModel('many'), fifty)
    const many = aModel('many').arn
    assert.deepEqual(await store().updateTags(many, { extra: '' }, []), {
      kind: 'too-many',
      tagCount: 51,
    })
    assert.equal((await store().updateTags(many, { extra: '' }, ['k0'])).kind, 'updated')
    assert.equal((await store().updateTags(many, { extra: 'again' }, [])).kind, 'updated')
  })

  test('an ARN that names nothing has no tags', async () => {
    const absent = encodeArn(AT, 'model', 'absent')
    assert.equal(await store().findTags(absent), undefined)
    assert.deepEqual(await store().updateTags(absent, { a: '' }, []), { kind: 'no-such-resource' })
  })
}

function eventCases(store: () => Store): void {
  test('events come newest first and go with their endpoint', async () => {
    await store().insertEndpoint(anEndpoint('Eventful'), {})
    for (const atMs of [1, 2, 3]) await store().recordEvent(anEvent('eventful', atMs))
    assert.deepEqual(await store().listEvents('EVENTFUL', 2), [
      anEvent('eventful', 3),
      anEvent('eventful', 2),
    ])
    const seen = await found(store(), 'eventful')
    await store().removeEndpoint('eventful', seen.revision)
    await store().recordEvent(anEvent('eventful', 4))
    await store().insertEndpoint(anEndpoint('Eventful'), {})
    assert.deepEqual(await store().listEvents('eventful', 10), [])
  })

  test('only the newest events of an endpoint are kept', async () => {
    await store().insertEndpoint(anEndpoint('noisy'), {})
    for (let atMs = 1; atMs <= 520; atMs += 1) await store().recordEvent(anEvent('noisy', atMs))
    const events = await store().listEvents('noisy', 10_000)
    assert.equal(events.length, 500)
    assert.equal(events[0]?.atMs, 520)
    assert.equal(events.at(-1)?.atMs, 21)
  })
}

function listCases(open: () => Promise<Store>): void {
  test('filters by part of the name, creation, modification and status', async () => {
    await using store = disposable(await open())
    const { value } = store
    const rows: [name: string, atMs: number, status: Endpoint['status']][] = [
      ['Alpha', 10, 'InService'],
      ['beta-ALPHA', 20, 'Creating'],
      ['gamma', 30, 'InService'],
    ]
    for (const [name, atMs, status] of rows) {
      const fields = { createdAtMs: atMs, modifiedAtMs: atMs + 100, status }
      await value.insertEndpoint(anEndpoint(name, fields), {})
    }
    const names = async (fields: Partial<ListQuery>): Promise<string[]> =>
      (await value.listEndpoints(aQuery(fields))).items.map((item) => item.name)

    assert.deepEqual(await names({}), ['gamma', 'beta-ALPHA', 'Alpha'])
    assert.deepEqual(await names({ nameContains: 'alpha' }), ['beta-ALPHA', 'Alpha'])
    assert.deepEqual(await names({ nameContains: '%' }), [])
    assert.deepEqual(await names({ nameContains: '_' }), [])
    assert.deepEqual(await names({ createdAfterMs: 20 }), ['gamma', 'beta-ALPHA'])
    assert.deepEqual(await names({ createdBeforeMs: 20 }), ['Alpha'])
    assert.deepEqual(await names({ modifiedAfterMs: 120, modifiedBeforeMs: 130 }), ['beta-ALPHA'])
    assert.deepEqual(await names({ status: 'InService' }), ['gamma', 'Alpha'])
    assert.deepEqual(await names({ sortBy: 'Status', descending: false }), [
      'beta-ALPHA',
      'Alpha',
      'gamma',
    ])
    assert.deepEqual(await names({ sortBy: 'Name', descending: false }), [
      'Alpha',
      'beta-ALPHA',
      'gamma',
    ])
    const { items } = await value.listEndpoints(aQuery({ nameContains: 'gamma' }))
    assert.deepEqual(items, [
      {
        name: 'gamma',
        arn: anEndpoint('gamma').arn,
        createdAtMs: 30,
        modifiedAtMs: 130,
        status: 'InService',
      },
    ])
  })

  test('property: pages show every row once, in order, whatever is inserted in between', async () => {
    await fc.assert(
      fc.asyncProperty(listing(), (given) => assertPagesAreStable(open, given)),
      {
        numRuns: 25,
      },
    )
  })
}

interface Listing {
  readonly rows: readonly (readonly [name: string, createdAtMs: number])[]
  readonly late: readonly (readonly [name: string, createdAtMs: number])[]
  readonly sortBy: 'Name' | 'CreationTime'
  readonly descending: boolean
  readonly limit: number
}

function listing(): fc.Arbitrary<Listing> {
  const row = fc.tuple(fc.stringMatching(/^[a-cA-C0-1]{1,3}$/), fc.integer({ min: 1, max: 4 }))
  const rows = fc.uniqueArray(row, { maxLength: 24, selector: ([name]) => name.toLowerCase() })
  return fc.record({
    rows,
    late: fc.array(row, { maxLength: 6 }),
    sortBy: fc.constantFrom('Name', 'CreationTime'),
    descending: fc.boolean(),
    limit: fc.integer({ min: 1, max: 7 }),
  })
}

async function assertPagesAreStable(open: () => Promise<Store>, given: Listing): Promise<void> {
  await using store = disposable(await open())
  for (const [name, atMs] of given.rows) await store.value.insertModel(aModel(name, atMs), {})
  const late = [...given.late]
  const seen: { readonly name: string; readonly createdAtMs: number }[] = []
  let after: ListCursor | undefined
  do {
    const { sortBy, descending, limit } = given
    const page: Page<{ readonly name: string; readonly createdAtMs: number }> =
      await store.value.listModels(aQuery({ sortBy, descending, limit, after }))
    assert.ok(page.items.length <= limit)
    if (page.next !== undefined) assert.equal(page.items.length, limit)
    seen.push(...page.items)
    after = page.next
    const [name, atMs] = late.shift() ?? []
    if (name !== undefined && atMs !== undefined) {
      await store.value.insertModel(aModel(name, atMs), {})
    }
  } while (after !== undefined)

  const names = seen.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length, 'a row was shown twice')
  for (const [name] of given.rows) assert.ok(names.includes(name), `${name} was not shown`)
  const keys = seen.map(({ name, createdAtMs }) =>
    given.sortBy === 'Name' ? name.toLowerCase() : `${createdAtMs} ${name.toLowerCase()}`,
  )
  const sorted = keys.toSorted()
  assert.deepEqual(keys, given.descending ? sorted.toReversed() : sorted)
}

async function found(store: Store, name: string): Promise<Endpoint> {
  const endpoint = await store.findEndpoint(name)
  assert.ok(endpoint)
  return endpoint
}

function disposable(value: Store): AsyncDisposable & { readonly value: Store } {
  return { value, [Symbol.asyncDispose]: () => value.close() }
}

// A store may drop members that are undefined.
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

function plainWithAbsent(endpoint: Endpoint): unknown {
  const { failureReason, serving, deployment, lastDeploymentConfig } = endpoint
  const absent = { failureReason, serving, deployment, lastDeploymentConfig }
  const present = Object.fromEntries(
    Object.entries(absent).map(([key, value]) => [key, plain(value)]),
  )
  return { ...(plain(endpoint) as object), ...present }
}

// Listeners are called after the write returned.
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
