/**
 * Answers `{"patients": [key, …]}` with how each patient's diabetes is likely to progress within a year: looks their
 * measurements up in SQLite and asks an ONNX model, both in the model folder.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { defineModel, StatusError } from 'berth/model'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { parseQuestion } from './question.ts'

// In the order in which the model was trained.
const MEASUREMENTS = ['age', 'sex', 'bmi', 'bp', 's1', 's2', 's3', 's4', 's5', 's6'] as const

export default defineModel({
  async load({ modelDirectory }) {
    const database = new DatabaseSync(join(modelDirectory, 'features.db'), { readOnly: true })
    const find = database.prepare(`SELECT ${MEASUREMENTS.join(', ')} FROM patients WHERE key = ?`)
    // A worker runs one call at a time: more threads than one would only be in the others' way.
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1 }
    const session = await InferenceSession.create(join(modelDirectory, 'model.onnx'), options)
    return { find, session }
  },

  decode: (body, { contentType }) => parseQuestion(body, contentType),

  async predict(keys, { model, signal }) {
    const rows = keys.map((key) => {
      const found = model.find.get(key)
      if (found === undefined) throw new StatusError(404, `There is no patient ${key}.`)
      return MEASUREMENTS.map((name) => Number(found[name]))
    })
    signal.throwIfAborted()
    const values = Float32Array.from(rows.flat())
    const measurements = new Tensor('float32', values, [keys.length, MEASUREMENTS.length])
    const { progression } = await model.session.run({ measurements })
    if (progression === undefined) throw new Error('The model gave no progression.')
    const { data } = progression
    return keys.map((patient, at) => ({ patient, progression: Number(data[at]) }))
  },
})
