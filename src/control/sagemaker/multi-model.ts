import { isTargetModel, parseModelSettings } from '../../domain/multi-model/settings.ts'
import type { MultiModelSource } from '../../domain/model.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { invalid } from './refusals.ts'

type ContainerInput = NonNullable<OperationShapes['CreateModel']['input']['PrimaryContainer']>

/** What a container sees that serves many models. Source: data-plane reference §9.1. */
export const MULTI_MODEL_ENVIRONMENT = { SAGEMAKER_MULTI_MODEL: 'true' } as const

/**
 * Where the models of a multi-model container are; `undefined` for a container of one model.
 *
 * The prefix is not looked at: it may be filled later.
 *
 * @throws BerthError `ValidationException`: it has no prefix, or a setting in its environment is wrong.
 */
export function multiModelOf(container: ContainerInput, at: string): MultiModelSource | undefined {
  const { Mode, MultiModelConfig, ModelDataUrl, ModelDataSource, Environment = {} } = container
  if (Mode !== 'MultiModel') {
    if (MultiModelConfig === undefined) return undefined
    throw invalid(`'${at}.multiModelConfig' needs '${at}.mode' MultiModel, not ${Mode ?? 'none'}.`)
  }
  const url = prefixUrlOf(ModelDataUrl, ModelDataSource, at)
  const { problems } = parseModelSettings(Environment)
  if (problems.length > 0) throw invalid(`'${at}.environment': ${problems.join(' ')}`)
  return {
    prefixUrl: url.endsWith('/') ? url : `${url}/`,
    isCaching: MultiModelConfig?.ModelCacheSetting !== 'Disabled',
  }
}

function prefixUrlOf(
  url: string | undefined,
  source: ContainerInput['ModelDataSource'],
  at: string,
): string {
  if (url !== undefined && source !== undefined) {
    throw invalid(`'${at}' has ModelDataUrl and ModelDataSource; only one of them may be given.`)
  }
  const given = url ?? source?.S3DataSource?.S3Uri
  if (given === undefined) {
    throw invalid(`'${at}.modelDataUrl' is required in mode MultiModel: the prefix of the models.`)
  }
  const [, path = ''] = /^(?:s3:\/\/|https?:\/\/)(.+)$/s.exec(given) ?? []
  if (path === '' || !isTargetModel(path.replace(/\/$/, ''))) {
    throw invalid(`'${at}.modelDataUrl' "${given}" is not the s3:// or https:// URL of a prefix.`)
  }
  return given
}
