import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { mintSession, parseSessionToken } from './session-token.ts'

const KEY = Buffer.alloc(32, 7)
const GRANT = {
  roleArn: 'arn:aws:iam::000000000000:role/team/a/Reader',
  sessionName: 'me@x',
  expiresAtMs: 1_704_164_645_000,
  randomBytes,
}

describe('session tokens', () => {
  it('carry everything that verification needs', () => {
    const session = mintSession(KEY, GRANT)
    assert.match(session.accessKeyId, /^ASIA[A-Z2-7]{16}$/)
    assert.equal(session.secretAccessKey.length, 40)
    const claims = parseSessionToken(KEY, session.sessionToken)
    assert.ok(claims)
    assert.match(claims.assumedRoleId, /^AROA[A-Z2-7]{16}:me@x$/)
    assert.deepEqual(
      { ...claims, assumedRoleId: '' },
      {
        accessKeyId: session.accessKeyId,
        secretAccessKey: session.secretAccessKey,
        roleArn: GRANT.roleArn,
        sessionName: 'me@x',
        assumedRoleArn: 'arn:aws:sts::000000000000:assumed-role/Reader/me@x',
        assumedRoleId: '',
        expiresAtMs: GRANT.expiresAtMs,
      },
    )
  })

  it('do not show the secret', () => {
    const session = mintSession(KEY, GRANT)
    const opened = Buffer.from(session.sessionToken, 'base64').toString('latin1')
    assert.equal(opened.includes(session.secretAccessKey), false)
  })

  it('of another installation are refused', () => {
    const { sessionToken } = mintSession(Buffer.alloc(32, 8), GRANT)
    assert.equal(parseSessionToken(KEY, sessionToken), undefined)
  })

  it('are refused after any change', () => {
    const { sessionToken } = mintSession(KEY, GRANT)
    fc.assert(
      fc.property(
        fc.nat(sessionToken.length - 1),
        fc.constantFrom('A', 'z', '=', '-', ''),
        (at, text) => {
          const changed = sessionToken.slice(0, at) + text + sessionToken.slice(at + 1)
          fc.pre(changed !== sessionToken)
          assert.equal(parseSessionToken(KEY, changed), undefined)
        },
      ),
    )
    for (const text of ['', 'AAAA', `${sessionToken} `, sessionToken.repeat(40)]) {
      assert.equal(parseSessionToken(KEY, text), undefined)
    }
  })
})
