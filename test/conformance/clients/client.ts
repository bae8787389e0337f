/** Services the conformance table calls, by the names boto3 and the AWS CLI give them. */
export type ServiceName = 'sagemaker' | 'sagemaker-runtime' | 'sts' | 's3'

/** Members of a request; bytes are `{ base64 }` and times `{ epochSeconds }`, so that every client can be given them. */
export type Input = Readonly<Record<string, unknown>>

/** What a real client made of the reply. */
export type Outcome =
  | { readonly kind: 'output'; readonly output: Readonly<Record<string, unknown>> }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }

/** A real AWS client, driven by operation name. */
export interface AwsClient {
  readonly name: 'javascript' | 'boto3' | 'cli'
  call(service: ServiceName, operation: string, input: Input): Promise<Outcome>
  close(): Promise<void>
}

/** Where a client is to go and who it is. */
export interface ClientTarget {
  readonly url: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** The environment that points boto3 and the AWS CLI at a Berth and nowhere else. */
export function awsEnvironment(target: ClientTarget): Readonly<Record<string, string>> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: '/nonexistent',
    AWS_ENDPOINT_URL: target.url,
    AWS_ACCESS_KEY_ID: target.accessKeyId,
    AWS_SECRET_ACCESS_KEY: target.secretAccessKey,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(target.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: target.sessionToken }),
  }
}
