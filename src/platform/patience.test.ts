import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { Patience } from './patience.ts'

function holdUp(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('a sign that came in time counts, however late it is read', async () => {
  const { port1, port2 } = new MessageChannel()
  const patience = new Patience()
  const outcome = new Promise((resolve) => {
    port1.on('message', (sign) => {
      patience.end()
      resolve(sign)
    })
    patience.begin(1, () => resolve('over'))
  })
  port2.postMessage('alive')
  holdUp(20)
  assert.equal(await outcome, 'alive')
  port1.close()
})

test('without one it is over, once, and only for the last beginning', async () => {
  const patience = new Patience()
  const over: string[] = []
  const outcome = new Promise<void>((resolve) => {
    patience.begin(1, () => over.push('first'))
    patience.begin(2, () => resolve(void over.push('second')))
  })
  await outcome
  patience.end()
  assert.deepEqual(over, ['second'])
})
