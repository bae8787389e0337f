/**
 * Names the model to a built-in image that serves many and is spoken to by frames, which have no path; its value is the id
 * of `POST /models`.
 */
export const MODEL_HEADER = 'x-berth-model'
