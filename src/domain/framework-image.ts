/** What stands in for an image of AWS where no image can be pulled. */
export interface FrameworkImage {
  /** A built-in image. */
  readonly image: string
  /** Packages of the image that user code counts on, in the form of a requirements file. */
  readonly packages: readonly string[]
}

/** What is known of an image by its name. */
export type ImageStandIn =
  | ({ readonly kind: 'built-in' } & FrameworkImage)
  /** It is one of AWS's, and nothing stands in for it. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It is none of AWS's framework images. */
  | { readonly kind: 'unknown' }

/** A framework's repositories, and what stands in for them. */
interface Row {
  readonly repository: RegExp
  /** Begins with the version of this package. */
  readonly versioned: string
  /** How many numbers of the version decide: scikit-learn 1.2 reads what 1.2.1 wrote. */
  readonly versionParts: number
  readonly others: readonly string[]
  /** Binaries of versions before this one were made for NumPy 1, and end or fail with NumPy 2. */
  readonly numpy2Since?: readonly [major: number, minor: number]
}

// Source: SageMaker developer guide, "Docker registry paths and example code"; the Deep Learning Containers' release page.
const ROWS: readonly Row[] = [
  {
    repository: /^sagemaker-scikit-learn$/,
    versioned: 'scikit-learn',
    versionParts: 2,
    others: ['joblib', 'pandas'],
    numpy2Since: [1, 4],
  },
  {
    repository: /^(sagemaker-)?xgboost(-neo)?$/,
    versioned: 'xgboost',
    versionParts: 2,
    others: ['scipy', 'scikit-learn', 'pandas'],
  },
  {
    repository: /^(pytorch-inference|sagemaker-pytorch)(-eia|-graviton|-arm64)?$/,
    versioned: 'torch',
    versionParts: 2,
    others: [],
    numpy2Since: [2, 3],
  },
  {
    repository: /^huggingface-pytorch-inference(-graviton|-arm64)?$/,
    versioned: 'torch',
    versionParts: 2,
    others: ['transformers', 'pillow'],
    numpy2Since: [2, 3],
  },
]

const TRITON = 'sagemaker-tritonserver'

const REFUSED: readonly (readonly [repository: RegExp, reason: string])[] = [
  [
    /^(tensorflow-inference|sagemaker-tensorflow)/,
    'Export the model to ONNX and use berth/onnx, or load it in model_fn with berth/python.',
  ],
  [
    /^(djl-inference|huggingface-pytorch-tgi-inference|mxnet-inference|sagemaker-mxnet|huggingface-tensorflow-inference|sagemaker-sparkml-serving|autogluon-inference|sagemaker-inference-pytorch-neuron|huggingface-pytorch-inference-neuron|pytorch-inference-neuron)/,
    'Load the model in model_fn of an inference.py and use berth/python.',
  ],
]

// ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG, the public gallery of the same images, or a digest for the tag.
const AWS_IMAGE =
  /^(?:\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|public\.ecr\.aws\/[a-z0-9-]+)\/([a-z0-9/_-]+?)(?::([\w.-]+))?(?:@sha256:[0-9a-f]+)?$/

/**
 * What stands in for an image URI.
 *
 * | image | stand-in |
 * |---|---|
 * | `…/sagemaker-scikit-learn:1.2-1-cpu-py3` | berth/python with scikit-learn 1.2, joblib, pandas, NumPy 1 |
 * | `…/sagemaker-xgboost:1.7-1`, `…/xgboost:1` | berth/python with xgboost |
 * | `…/pytorch-inference:2.1.0-cpu-py310` | berth/python with torch 2.1, NumPy 1 |
 * | `…/huggingface-pytorch-inference:2.1.0-transformers4.37.0-…` | berth/python with torch 2.1, transformers 4.37, NumPy 1 |
 * | `…/sagemaker-tritonserver:…` | berth/triton |
 * | TensorFlow, DJL and others of AWS | refused, with what to use |
 * | anything else | unknown |
 */
export function standInFor(image: string): ImageStandIn {
  const [, path, tag = ''] = AWS_IMAGE.exec(image) ?? []
  const repository = path?.split('/').at(-1)
  if (repository === undefined) return { kind: 'unknown' }
  if (repository === TRITON) return { kind: 'built-in', image: 'berth/triton', packages: [] }
  const row = ROWS.find((candidate) => candidate.repository.test(repository))
  if (row !== undefined) {
    return { kind: 'built-in', image: 'berth/python', packages: packagesOf(row, tag) }
  }
  const refused = REFUSED.find(([pattern]) => pattern.test(repository))
  return refused === undefined ? { kind: 'unknown' } : { kind: 'refused', reason: refused[1] }
}

function packagesOf(row: Row, tag: string): readonly string[] {
  const { versioned, versionParts, others } = row
  const transformers = /transformers(\d+\.\d+)/.exec(tag)?.[1]
  const named = others.map((name) =>
    name === 'transformers' && transformers !== undefined ? `${name}==${transformers}.*` : name,
  )
  // `latest` and `1` say nothing of what wrote the model.
  const version = /^\d+\.\d+(\.\d+)*/.exec(tag)?.[0].split('.').slice(0, versionParts)
  if (version === undefined) return [versioned, ...named]
  const numpy = needsNumpy1(row, version.map(Number)) ? ['numpy<2'] : []
  return [`${versioned}==${version.join('.')}.*`, ...named, ...numpy]
}

function needsNumpy1({ numpy2Since }: Row, [major = 0, minor = 0]: readonly number[]): boolean {
  if (numpy2Since === undefined) return false
  const [sinceMajor, sinceMinor] = numpy2Since
  return major < sinceMajor || (major === sinceMajor && minor < sinceMinor)
}
