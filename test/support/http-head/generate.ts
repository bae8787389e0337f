import { Random } from './random.ts'

/*
 * Request bytes for a differential fuzz of two HTTP/1.1 readers. One character stands for one byte (latin1) until the
 * end. Most are regular or nearly so: what is far from a request is refused by everybody and finds nothing.
 */

const NAMES = [
  'Accept',
  'User-Agent',
  'X-Amz-Date',
  'X-Amz-Content-Sha256',
  'X-Amzn-SageMaker-Custom-Attributes',
  'amz-sdk-request',
  'Cookie',
  'Keep-Alive',
  'Content-Type',
  'Authorization',
  'Via',
  'Range',
  'X_Under',
  "!#$%&'*+-.^_`|~",
  'a',
  'Content-Lengt',
  'Content-Length-X',
  'XContent-Length',
  'Hos',
]
const VALUES = [
  'application/json',
  '*/*',
  'a=1; b=2',
  '',
  'x'.repeat(90),
  'AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/sagemaker/aws4_request, Signature=0',
  'two  spaces',
  '"quoted: value"',
  'attempt=1; max=1',
]
const TARGETS = [
  '/endpoints/e/invocations',
  '/endpoints/my-model/invocations',
  '/endpoints/a%20b/invocations',
  '/endpoints/e/invocations?x=1&y=%2f',
  '/endpoints//invocations',
  "/endpoints/e/invocations;a=b!$&'()*+,=:@~",
  '/endpoints/e/../f',
]
const ODD_TARGETS = [
  'http://h/endpoints/e/invocations',
  '/',
  '*',
  '/endpoints',
  '/endpoints/e#f',
  '/endpoints/e invocations',
  '/endpoints/\t',
  '/endpoints/"<>\\^`{|}[]',
  '/endpoints/\x7f',
  '/endpoints/é',
  `/endpoints/${'e'.repeat(9_000)}`,
]
const ODD_METHODS = [
  'GET',
  'post',
  'PUT',
  'POSTX',
  'PO',
  '\r\nPOST',
  ' POST',
  'CONNECT',
  'POST\t',
  '',
]
const ODD_VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
  ' HTTP/1.1',
  'HTTP/01.1',
  'HTTP/1.',
  'HTTP/11',
  'ICE/1.1',
  '',
]
const LINE_ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  '\r\n\r\n',
  '\r\n ',
  '\r\n\t',
  '\n\r',
  '\r\n\0',
  ' \r\n',
  '\t\r\n',
]
const SEPARATORS = [
  ':',
  ': ',
  ':   ',
  ':\t',
  ' : ',
  ' :',
  '\t:',
  '',
  ': \t ',
  '::',
  ':\r\n ',
  ':\0',
  '\0: ',
]
const ODD_BYTES = '\0\x01\t\n\v\f\r\x1b "(),/:;<=>?@[\\]{}\x7f\x80\xa0\xff0+-_\x0d\x0a'.split('')
const ENCODING_NAMES = [
  'Transfer-Encoding',
  'transfer-encoding',
  'Transfer_Encoding',
  'Transfer-Encoding ',
  ' Transfer-Encoding',
  'X: y\nTransfer-Encoding',
  'X: y\rTransfer-Encoding',
  'TE',
  'Trailer',
]
const ENCODINGS = [
  'chunked',
  'Chunked',
  'xchunked',
  'identity',
  'gzip, chunked',
  'chunked, identity',
  'chunked,',
  '\tchunked',
  'chunked\t',
  '"chunked"',
  'chunked;q=1',
  '\0chunked',
  '',
]
const CONNECTIONS = [
  'keep-alive',
  'Keep-Alive',
  'close',
  'upgrade',
  'keep-alive, close',
  '',
  'foo',
  'keep-alive ',
]
const FOREIGN_LINES = [
  'Expect: 100-continue',
  'Expect: x',
  'Upgrade: h2c',
  'Upgrade: websocket',
  'HTTP2-Settings: AAMA',
  'Proxy-Connection: close',
  'Proxy-Connection: keep-alive',
  'Connection: Transfer-Encoding',
]
const BODIES = [
  '1,2,3',
  '{"instances":[[1.5,2,3]]}',
  '',
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n',
  '\r\n\r\n',
  '\0'.repeat(40),
  'POST /endpoints/x/invocations HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n',
]

/** One connection's worth of bytes: a request, its body, and what follows. */
export function generateRequest(seed: number): Buffer {
  const random = new Random(seed)
  const oddness = random.pick([0, 0, 0.04, 0.04, 0.15, 0.5])
  const body = random.pick(BODIES)
  const follows = random.pick(['', 'x', '\r\n', '\0', body, 'GET /n HTTP/1.1\r\nHost: h\r\n\r\n'])
  const text = `${generateHead(random, oddness, body.length)}${body}${follows}`
  const bytes = Buffer.from(text, 'latin1')
  if (!random.happens(oddness)) return bytes
  return mutate(bytes, random)
}

function generateHead(random: Random, oddness: number, bodyBytes: number): string {
  const isOdd = (share = 1): boolean => random.happens(oddness * share)
  const method = isOdd(0.3) ? random.pick(ODD_METHODS) : 'POST'
  const target = isOdd(0.5) ? random.pick(ODD_TARGETS) : random.pick(TARGETS)
  const version = isOdd(0.3) ? random.pick(ODD_VERSIONS) : 'HTTP/1.1'
  const lines = [`${method} ${target} ${version}`]
  const headers = generateHeaders(random, oddness, bodyBytes)
  for (const [name, value] of headers) {
    lines.push(`${recased(name, random)}${separator(random, isOdd(0.15))}${value}`)
  }
  if (isOdd()) lines.splice(1 + random.below(lines.length), 0, random.pick(FOREIGN_LINES))
  let text = ''
  for (const line of lines) text += `${line}${isOdd(0.1) ? random.pick(LINE_ENDS) : '\r\n'}`
  return `${text}${isOdd(0.2) ? random.pick(LINE_ENDS) : '\r\n'}`
}

type Header = readonly [name: string, value: string]

function generateHeaders(random: Random, oddness: number, bodyBytes: number): Header[] {
  const isOdd = (share = 1): boolean => random.happens(oddness * share)
  const headers: Header[] = []
  const plainCount = isOdd(0.2) ? random.pick([90, 97, 98, 99, 100, 101, 130]) : random.below(12)
  for (let count = 0; count < plainCount; count++) {
    headers.push([random.pick(NAMES), oddened(random.pick(VALUES), random, isOdd(0.3))])
  }
  if (isOdd(0.1)) headers.push(['X-Long', 'y'.repeat(random.pick([8_000, 15_000, 16_200, 17_000]))])
  const insert = (header: Header): void => {
    headers.splice(random.below(headers.length + 1), 0, header)
  }
  if (!isOdd(0.3)) insert(['Host', oddened('127.0.0.1:7070', random, isOdd(0.2))])
  if (isOdd(0.3)) insert(['Host', 'other'])
  if (!isOdd(0.3)) insert(['Content-Length', lengthText(random, bodyBytes, isOdd())])
  if (isOdd(0.4)) insert(['Content-Length', lengthText(random, bodyBytes, isOdd())])
  if (isOdd(0.5)) insert([random.pick(ENCODING_NAMES), random.pick(ENCODINGS)])
  if (random.happens(0.4)) {
    insert(['Connection', isOdd(2) ? random.pick(CONNECTIONS) : 'keep-alive'])
  }
  return headers
}

function lengthText(random: Random, bodyBytes: number, isOdd: boolean): string {
  const plain = String(bodyBytes)
  if (!isOdd) return plain
  return random.pick([
    `+${plain}`,
    `-${plain}`,
    ` ${plain}`,
    `${plain} `,
    `${plain}\t`,
    `\t${plain}`,
    `0x${plain}`,
    `0${plain}`,
    `${plain}.0`,
    `${plain}e0`,
    `${plain},${plain}`,
    `${plain}, ${bodyBytes + 1}`,
    `${plain};`,
    `${plain} 1`,
    `"${plain}"`,
    String(bodyBytes + 1),
    String(Math.max(0, bodyBytes - 1)),
    '0',
    '',
    '\0',
    '9999999999',
    '99999999999999999999',
    '18446744073709551621',
    '\xb2',
  ])
}

function separator(random: Random, isOdd: boolean): string {
  return isOdd ? random.pick(SEPARATORS) : random.pick([': ', ': ', ':'])
}

function recased(name: string, random: Random): string {
  if (random.happens(0.5)) return name
  return random.happens(0.5) ? name.toLowerCase() : name.toUpperCase()
}

function oddened(value: string, random: Random, isOdd: boolean): string {
  if (!isOdd) return value
  const at = random.below(value.length + 1)
  return `${value.slice(0, at)}${random.pick(ODD_BYTES)}${value.slice(at)}`
}

// Blind changes find what the grammar above did not think of.
function mutate(bytes: Buffer, random: Random): Buffer {
  let current = bytes
  const changeCount = 1 + random.below(3)
  for (let count = 0; count < changeCount && current.length > 0; count++) {
    const at = random.below(current.length)
    const before = current.subarray(0, at)
    const odd = Buffer.from(random.pick(ODD_BYTES), 'latin1')
    switch (random.below(5)) {
      case 0:
        current = Buffer.concat([before, odd, current.subarray(at + 1)])
        break
      case 1:
        current = Buffer.concat([before, odd, current.subarray(at)])
        break
      case 2:
        current = Buffer.concat([before, current.subarray(at + 1 + random.below(4))])
        break
      case 3: {
        const until = at + random.below(60)
        current = Buffer.concat([current.subarray(0, until), current.subarray(at)])
        break
      }
      default:
        current = before
    }
  }
  return current
}
