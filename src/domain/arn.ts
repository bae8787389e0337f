/** Where this installation pretends to be; both parts appear in every ARN. */
export interface Installation {
  /** Twelve digits. */
  readonly accountId: string
  /** For example `us-east-1`. */
  readonly region: string
}

const RESOURCES = ['model', 'endpoint-config', 'endpoint', 'compilation-job'] as const

/** Resource types whose ARNs Berth makes. */
export type SageMakerResource = (typeof RESOURCES)[number]

/**
 * ARN of a SageMaker resource. The name is lower-cased in the ARN while the resource keeps its case.
 *
 * Source: SageMaker developer guide, resource ARNs.
 */
export function encodeArn(at: Installation, resource: SageMakerResource, name: string): string {
  return `arn:aws:sagemaker:${at.region}:${at.accountId}:${resource}/${name.toLowerCase()}`
}

/** The resource an ARN of this installation names, or `undefined` when it is not one of ours. */
export function parseArn(
  at: Installation,
  arn: string,
): { readonly resource: SageMakerResource; readonly name: string } | undefined {
  const prefix = `arn:aws:sagemaker:${at.region}:${at.accountId}:`
  if (!arn.startsWith(prefix)) return undefined
  const match = /^([a-z-]+)\/([a-zA-Z0-9-]+)$/.exec(arn.slice(prefix.length))
  const [, resource, name] = match ?? []
  if (name === undefined) return undefined
  return isResource(resource) ? { resource, name } : undefined
}

function isResource(text: string | undefined): text is SageMakerResource {
  return RESOURCES.some((known) => known === text)
}
