/** Where this installation pretends to be; both parts appear in every ARN. */
export interface Installation {
  /** Twelve digits. */
  readonly accountId: string
  /** For example `us-east-1`. */
  readonly region: string
}

/** Resource types whose ARNs Berth makes. */
export type SageMakerResource = 'model' | 'endpoint-config' | 'endpoint'

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
  const match = /^(model|endpoint-config|endpoint)\/([a-zA-Z0-9-]+)$/.exec(arn.slice(prefix.length))
  const [, resource, name] = match ?? []
  if (name === undefined) return undefined
  if (resource !== 'model' && resource !== 'endpoint-config' && resource !== 'endpoint') {
    return undefined
  }
  return { resource, name }
}
