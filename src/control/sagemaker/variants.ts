import type { VariantConfig } from '../../domain/endpoint-config.ts'
import { BerthError } from '../../domain/errors.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { validationMessage } from '../../wire/validate.ts'
import { refuseNotOffered, VARIANT_ROWS } from './not-offered.ts'
import { invalid } from './refusals.ts'

type VariantInput = OperationShapes['CreateEndpointConfig']['input']['ProductionVariants'][number]

/**
 * What one variant may have. Not a quota of AWS: it keeps a slip of the keyboard from taking the machine down, since
 * instances over-commit by default.
 */
const INSTANCES_PER_VARIANT_MAX = 1000

// AWS documents bounds (60..3600 s) and no defaults. Its own start window is 8 min; downloads that took about 20 min
// have been seen to fail.
const MODEL_DATA_DOWNLOAD_TIMEOUT_MS = 20 * 60_000
const STARTUP_HEALTH_TIMEOUT_MS = 8 * 60_000

/**
 * The variants of a CreateEndpointConfig request.
 *
 * @throws BerthError `ValidationException`: a variant breaks a rule that the service model does not state.
 */
export function variantConfigsOf(variants: readonly VariantInput[]): readonly VariantConfig[] {
  variants.forEach((variant, at) => {
    refuseNotOffered(VARIANT_ROWS, variant, `productionVariants.${at + 1}.member`)
  })
  refuseMissingMembers(variants)
  refuseRepeatedNames(variants.map(({ VariantName }) => VariantName))
  return variants.map(variantConfigOf)
}

/** @throws BerthError `ValidationException`: a variant name appears twice. */
export function refuseRepeatedNames(names: readonly string[]): void {
  const repeated = names.find((name, at) => names.indexOf(name) !== at)
  if (repeated !== undefined) {
    throw invalid(`The variant name "${repeated}" was non-unique within the request.`)
  }
}

/** @throws BerthError: not a number that a variant can have. */
export function refuseUnusableWeight(variantName: string, weight: number): void {
  if (!Number.isFinite(weight)) {
    throw invalid(`The weight of variant "${variantName}" must be a finite number.`)
  }
}

/** @throws BerthError `ResourceLimitExceeded`: more instances than one variant may have. */
export function refuseTooManyInstances(variantName: string, instanceCount: number): void {
  if (instanceCount <= INSTANCES_PER_VARIANT_MAX) return
  throw new BerthError(
    'ResourceLimitExceeded',
    `Variant "${variantName}" would have ${instanceCount} instances; ${INSTANCES_PER_VARIANT_MAX} is the most one variant can have.`,
  )
}

function variantConfigOf(variant: VariantInput): VariantConfig {
  const { VariantName, ModelName = '', InstanceType = '', InitialInstanceCount = 0 } = variant
  const { InitialVariantWeight: initialWeight = 1 } = variant
  refuseUnusableWeight(VariantName, initialWeight)
  refuseTooManyInstances(VariantName, InitialInstanceCount)
  return {
    variantName: VariantName,
    modelName: ModelName,
    instanceType: InstanceType,
    initialInstanceCount: InitialInstanceCount,
    initialWeight,
    routingStrategy:
      variant.RoutingConfig?.RoutingStrategy === 'LEAST_OUTSTANDING_REQUESTS'
        ? 'LEAST_OUTSTANDING_REQUESTS'
        : 'RANDOM',
    modelDataDownloadTimeoutMs: msOf(
      variant.ModelDataDownloadTimeoutInSeconds,
      MODEL_DATA_DOWNLOAD_TIMEOUT_MS,
    ),
    startupHealthTimeoutMs: msOf(
      variant.ContainerStartupHealthCheckTimeoutInSeconds,
      STARTUP_HEALTH_TIMEOUT_MS,
    ),
  }
}

function msOf(seconds: number | undefined, defaultMs: number): number {
  return seconds === undefined ? defaultMs : seconds * 1000
}

// Optional in the service model, because serverless variants have neither.
function refuseMissingMembers(variants: readonly VariantInput[]): void {
  const violations = variants.flatMap((variant, at) =>
    [
      { member: 'instanceType', value: variant.InstanceType },
      { member: 'initialInstanceCount', value: variant.InitialInstanceCount },
    ]
      .filter(({ value }) => value === undefined)
      .map(({ member, value }) => ({
        path: `productionVariants.${at + 1}.member.${member}`,
        value,
        constraint: 'Member must not be null',
      })),
  )
  if (violations.length > 0) throw invalid(validationMessage(violations))
}
