/** A body and its content type. */
export interface Question {
  readonly body: Buffer
  readonly contentType: string
}

/** A picture's bytes behind a JSON head, as SageMaker's Triton image takes them. */
export function questionOf(picture: Uint8Array): Question {
  const binary = { binary_data_size: picture.length }
  const input = { name: 'IMAGE', datatype: 'UINT8', shape: [picture.length], parameters: binary }
  const outputs = ['TEXT', 'SCORE'].map((name) => ({ name }))
  const head = Buffer.from(JSON.stringify({ inputs: [input], outputs }))
  return {
    body: Buffer.concat([head, picture]),
    contentType: `application/vnd.sagemaker-triton.binary+json;json-header-size=${head.length}`,
  }
}
