/** The images built into Berth, all served by one program. */
export const BUILT_IN_IMAGES = [
  'berth/onnx',
  'berth/python',
  'berth/node',
  'berth/triton',
  'berth/graph',
  'berth/echo',
] as const

/** One of {@link BUILT_IN_IMAGES}. */
export type BuiltInImage = (typeof BUILT_IN_IMAGES)[number]
