import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseQueryRequest } from './query.ts'
import { encodeAssumedRole, encodeCallerIdentity, parseAssumeRole } from './sts.ts'

const parse = (text: string): ReturnType<typeof parseQueryRequest> =>
  parseQueryRequest(Buffer.from(text))
const ROLE = 'arn:aws:iam::000000000000:role/reader'

describe('parseQueryRequest', () => {
  it('reads action, version and nested lists in their order', () => {
    const text =
      'Action=AssumeRole&Version=2011-06-15&Tags.member.2.Key=b&Tags.member.10.Key=c&Tags.member.1.Key=a+%26&RoleArn=x'
    assert.deepEqual(parse(text), {
      action: 'AssumeRole',
      version: '2011-06-15',
      parameters: { Tags: [{ Key: 'a &' }, { Key: 'b' }, { Key: 'c' }], RoleArn: 'x' },
    })
  })

  it('keeps a parameter that names the prototype as a parameter', () => {
    const { parameters } = parse('Action=A&__proto__.polluted=1&constructor=2')
    assert.equal(Object.getPrototypeOf(parameters), Object.prototype)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
    assert.equal(parameters['constructor'], '2')
  })

  const refused: readonly [given: string, text: string, code: string][] = [
    ['no action', 'Version=2011-06-15', 'InvalidAction'],
    ['two actions', 'Action=A&Action=B', 'InvalidAction'],
    ['one parameter twice', 'Action=A&RoleArn=x&RoleArn=y', 'SerializationException'],
    ['a deep name', `Action=A&${'a.'.repeat(20)}b=1`, 'SerializationException'],
    [
      'a thousand parameters',
      `Action=A&${Array.from({ length: 1001 }, (_, i) => `p${i}=`).join('&')}`,
      'SerializationException',
    ],
  ]
  for (const [given, text, code] of refused) {
    it(`refuses ${given}`, () => assert.throws(() => parse(text), { code }))
  }
})

describe('AssumeRole', () => {
  it('lasts an hour unless told otherwise', () => {
    const asked = { RoleArn: ROLE, RoleSessionName: 'me', ExternalId: 'e' }
    assert.equal(parseAssumeRole(asked).durationSeconds, 3600)
    assert.equal(parseAssumeRole({ ...asked, DurationSeconds: '43200' }).durationSeconds, 43_200)
  })

  const refused: readonly [given: Record<string, string>, message: string][] = [
    [
      {},
      "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
    ],
    [
      { RoleArn: ROLE, RoleSessionName: 'a' },
      "1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
    ],
    [
      { RoleArn: ROLE, RoleSessionName: 'a b' },
      "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
    ],
    [
      { RoleArn: ROLE, RoleSessionName: 'me', DurationSeconds: '899' },
      "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    ],
    [
      { RoleArn: ROLE, RoleSessionName: 'me', DurationSeconds: '43201' },
      "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
    ],
    [
      { RoleArn: 'arn:aws:iam::000000000000:user/reader', RoleSessionName: 'me' },
      'arn:aws:iam::000000000000:user/reader is invalid',
    ],
    [
      { RoleArn: ROLE, RoleSessionName: 'me', Policy: '{}' },
      'AssumeRole of Berth does not offer Policy.',
    ],
  ]
  for (const [given, message] of refused) {
    it(`refuses ${JSON.stringify(given)}`, () => {
      assert.throws(() => parseAssumeRole(given), { code: 'ValidationError', message })
    })
  }

  it('answers with the credentials', () => {
    const reply = encodeAssumedRole(
      {
        accessKeyId: 'ASIAX',
        secretAccessKey: 's',
        sessionToken: 't',
        expiresAtMs: 1_704_164_645_678,
      },
      { assumedRoleArn: 'arn', assumedRoleId: 'AROA:me' },
      'r-1',
    )
    assert.equal(
      reply.body,
      '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROA:me</AssumedRoleId><Arn>arn</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2024-01-02T03:04:05Z</Expiration></Credentials></AssumeRoleResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleResponse>',
    )
  })
})

describe('GetCallerIdentity', () => {
  it('answers who signed', () => {
    const principal = { arn: 'a<b', userId: 'u', accountId: '000000000000' }
    assert.equal(
      encodeCallerIdentity(principal, 'r-1').body,
      '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>a&lt;b</Arn><UserId>u</UserId><Account>000000000000</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    )
  })
})
