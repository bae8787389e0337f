import { defineModel } from 'berth/model'
import { scaleRows } from './rows.ts'

export default defineModel({
  predict: ({ instances }: { readonly instances: readonly (readonly number[])[] }) => {
    return { instances: scaleRows(instances) }
  },
})
