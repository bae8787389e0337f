import type { EndpointConfig, VariantConfig } from '../../domain/endpoint-config.ts'
import type { FleetVariant, Generation } from '../../domain/fleet.ts'
import type { Model } from '../../domain/model.ts'
import type { OperationContext } from './operation.ts'
import { notFound } from './refusals.ts'

/** What a variant keeps from the generation before. */
export type Retained = Pick<FleetVariant, 'desiredInstanceCount' | 'desiredWeight'>

/**
 * A generation as its config describes it. The containers of its models are copied, so that instances can be replaced
 * after a model was deleted.
 *
 * @throws BerthError `ValidationException`: a model was deleted since the config was created.
 */
export async function createGeneration(
  number: number,
  config: EndpointConfig,
  { installation, store }: OperationContext,
): Promise<Generation> {
  const variants = await Promise.all(
    config.variants.map(async (variant) => {
      const model = await store.findModel(variant.modelName)
      if (model === undefined) throw notFound(installation, 'model', variant.modelName)
      return fleetVariantOf(variant, model)
    }),
  )
  return { number, configName: config.name, variants }
}

/** The generation with the given properties of same-named variants of another one. */
export function retainVariants(
  generation: Generation,
  retainedOf: (variantName: string) => Partial<Retained>,
): Generation {
  const variants = generation.variants.map((variant) => ({
    ...variant,
    ...retainedOf(variant.variantName),
  }))
  return { ...generation, variants }
}

function fleetVariantOf(
  variant: VariantConfig,
  { containers, executionMode }: Model,
): FleetVariant {
  const { initialInstanceCount, initialWeight, ...kept } = variant
  return {
    ...kept,
    containers,
    ...(executionMode !== undefined && { executionMode }),
    desiredInstanceCount: initialInstanceCount,
    desiredWeight: initialWeight,
    currentInstanceCount: 0,
    currentWeight: 0,
  }
}
