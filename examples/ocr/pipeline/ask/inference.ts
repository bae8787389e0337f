/** The first container: takes a picture as it is and hands on what a Triton repository is asked with. */
import { defineModel, StatusError } from 'berth/model'
import { questionOf } from './question.ts'

export default defineModel({
  decode(body, { contentType }) {
    if (typeof body === 'string' || contentType?.startsWith('image/') !== true) {
      throw new StatusError(415, `Send a picture as image/png, not ${contentType ?? 'untyped'}.`)
    }
    return body
  },
  predict: questionOf,
  encode: ({ body, contentType }) => [body, contentType],
})
