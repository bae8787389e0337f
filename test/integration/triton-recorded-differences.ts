const LATER = 'later releases, which Berth stands in for, say it so (reference §10.4, §21)'
const ORDER = 'Triton names inputs in an order that is by chance'
const REASON = 'Berth says why'
const STAND_IN = 'the recorded models are not those that are asked'

/** Where Berth answers otherwise than tritonserver 2.51, by the name of the exchange, and why. */
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
