import { defineModel } from 'berth/model'
import { nameLargest } from './rows.ts'

export default defineModel({
  predict: ({ predictions }: { readonly predictions: readonly (readonly number[])[] }) => {
    return { predictions: nameLargest(predictions) }
  },
})
