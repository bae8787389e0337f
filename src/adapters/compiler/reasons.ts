import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { OutputAddress } from '../../domain/compilation-job.ts'
import type { ModelDataSource } from '../../domain/model.ts'

const MISSING = new Set<string>(['NoSuchKey', 'NoSuchBucket', 'InvalidBucketName'])

/** Why model data cannot be compiled. Source: SageMaker developer guide, troubleshooting of compilation jobs. */
export function explainModelData(error: BerthError, { url }: ModelDataSource): string {
  if (error.code === 'InsufficientStorage' || error.code === 'InternalDependencyException') {
    return `InternalError: ${error.message}`
  }
  if (error.code !== 'ValidationException') return `ClientError: ${error.message}`
  const { cause } = error
  if (isBerthError(cause) && MISSING.has(cause.code)) {
    const [, bucket = '', key = ''] = /^\w+:\/\/([^/]+)\/?(.*)$/s.exec(url) ?? []
    return `ClientError: InputConfiguration: S3 object does not exist. Bucket: ${bucket}, Key: ${key}`
  }
  const detail = error.message.slice(error.message.indexOf('URL:'))
  return `ClientError: InputConfiguration: Unable to untar input model. Please confirm the model is a tar.gz file. ${detail}`
}

/** What the owner of a job is told when its archive cannot be stored. */
export function explainOutput(error: unknown, { bucketName, key }: OutputAddress): unknown {
  if (!isBerthError(error) || !MISSING.has(error.code)) return error
  const message = `OutputConfiguration: the archive cannot be stored as s3://${bucketName}/${key}: ${error.message}`
  return new BerthError(error.code, message, { cause: error })
}
