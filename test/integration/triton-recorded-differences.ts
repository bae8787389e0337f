const LATER = 'later releases, which Berth stands in for, say it so (reference §10.4, §21)'
const ORDER = 'Triton names inputs in an order that is by chance'
const REASON = 'Berth says why'
const STAND_IN = 'the recorded models are not those that are asked'

/** Where Berth with stand-ins of ONNX answers otherwise than tritonserver 2.51, by the name of the exchange, and why. */
export const DIFFERENT: Readonly<Record<string, string>> = {
  'trace: rate 0': 'a rate of nothing is refused whether anything is traced or not',
  'generate: batches that differ': ORDER,
  'batch sizes differ': ORDER,
  'inputs too many': ORDER,
  'shape over int64': LATER,
  'batch of none': 'a batch without rows is one',
  'input unknown': LATER,
  'output unknown': LATER,
  'output twice': LATER,
  'header length "abc"': LATER,
  'header length ""': LATER,
  'binary of an unknown datatype': LATER,
  'binary BYTES, string cut': LATER,
  'binary BYTES with a NUL and no UTF-8': "ONNX Runtime's binding for Node would change them",
  'raw: size no multiple': REASON,
  'raw: fixed shape, wrong size': REASON,
  'coding: unknown': 'the encodings that are taken are in the documentation',
  'coding: gzip that is none': REASON,
  'GET /v2': 'the release that Berth stands in for',
  'GET /v2?x=1': 'the release that Berth stands in for',
  'GET /v2/health/ready': STAND_IN,
  'GET /v2/models/cpu_default/config': STAND_IN,
  'GET /v2/models/batcher/stats': STAND_IN,
  'GET /v2/models/batcher/versions/1/stats': STAND_IN,
  index: STAND_IN,
  'index of the ready': STAND_IN,
  'index of a repository': LATER,
  'load with unknown parameter': LATER,
  'load with config': STAND_IN,
  'config after load with config': STAND_IN,
  'config after plain load': STAND_IN,
  'load with config no JSON': REASON,
  'load with config of unknown field': REASON,
  'load with file without config': REASON,
}

const SHORTEST =
  'the shortest digits that are the same number, where RapidJSON sometimes prints others'
const AS_INFER = 'a model that fails is 500, as for infer; the recorded release says 400 here alone'
// What the stand-ins differ in, and Python models do not.
const OF_STAND_INS: ReadonlySet<string> = new Set([
  'binary BYTES with a NUL and no UTF-8',
  'GET /v2/health/ready',
  'GET /v2/models/cpu_default/config',
  'index',
  'index of the ready',
  'load with config',
  'config after load with config',
])

/** Where Berth with the recorded Python models answers otherwise. */
export const DIFFERENT_WITH_PYTHON: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(DIFFERENT).filter(([name]) => !OF_STAND_INS.has(name))),
  'identity FP32 [0.1,1,-0.0,1e10,3.4028234663852886e38,1.401298464324817e-45,16777217,1e21]':
    SHORTEST,
  'identity FP32 [123456.789,0.000001]': SHORTEST,
  'identity FP32 [1e-7,1.5e-9,123456789012345680000,1e22]': SHORTEST,
  'identity FP64 [18446744073709551616,9007199254740993]': SHORTEST,
  'identity BYTES ["","a\\"b\\\\c\\n","é€😀","\\u0000\\u001f/\\/"]': 'escapes in small letters',
  'input unknown where all are optional': LATER,
  'source: binary size without header': LATER,
  'sequence: id a string':
    'an id that the control of the model cannot carry is refused, not left out',
  'generate: error': AS_INFER,
  'generate: a model that fails': AS_INFER,
  'generate_stream: error': AS_INFER,
  'generate_stream: a stream that fails at once': AS_INFER,
  'generate: input missing': LATER,
  'generate_stream: input missing': LATER,
}
