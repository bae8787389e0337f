import type { Endpoint } from '../../domain/endpoint.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { changeEndpoint, recordRequest, refuseFailed } from './change-endpoint.ts'
import { retainVariants } from './generation.ts'
import { CAPACITY_ROWS, refuseNotOffered } from './not-offered.ts'
import type { Operation } from './operation.ts'
import { invalid } from './refusals.ts'
import { refuseRepeatedNames, refuseTooManyInstances, refuseUnusableWeight } from './variants.ts'

type Wish =
  OperationShapes['UpdateEndpointWeightsAndCapacities']['input']['DesiredWeightsAndCapacities'][number]

/** Records new counts and weights of the serving generation; the endpoint controller brings them about. */
export const updateEndpointWeightsAndCapacities: Operation<'UpdateEndpointWeightsAndCapacities'> = {
  name: 'UpdateEndpointWeightsAndCapacities',
  async run({ EndpointName, DesiredWeightsAndCapacities: wishes }, context) {
    wishes.forEach(refuseUnusable)
    refuseRepeatedNames(wishes.map(({ VariantName }) => VariantName))
    const updated = await changeEndpoint(EndpointName, context, (endpoint) =>
      withWishes(endpoint, wishes, context.clock.nowMs()),
    )
    await recordRequest(context, updated.name, {
      kind: 'capacity-requested',
      reason: `UpdateEndpointWeightsAndCapacities: ${wishes.map(describeWish).join('; ')}.`,
      inputs: Object.fromEntries(
        wishes.map(({ VariantName, DesiredInstanceCount, DesiredWeight }) => [
          VariantName,
          { desiredInstanceCount: DesiredInstanceCount, desiredWeight: DesiredWeight },
        ]),
      ),
    })
    return { EndpointArn: updated.arn }
  },
}

function refuseUnusable(wish: Wish, at: number): void {
  refuseNotOffered(CAPACITY_ROWS, wish, `desiredWeightsAndCapacities.${at + 1}.member`)
  const { VariantName, DesiredInstanceCount = 1, DesiredWeight = 0 } = wish
  if (DesiredInstanceCount === 0) {
    throw invalid(
      `Variant "${VariantName}" serves in real time and needs a DesiredInstanceCount of at least 1.`,
    )
  }
  refuseTooManyInstances(VariantName, DesiredInstanceCount)
  refuseUnusableWeight(VariantName, DesiredWeight)
}

function withWishes(endpoint: Endpoint, wishes: readonly Wish[], nowMs: number): Endpoint {
  refuseFailed(endpoint)
  const { serving } = endpoint
  if (serving === undefined) throw invalid(`Endpoint "${endpoint.arn}" serves no variant.`)
  refuseUnknownVariants(endpoint, wishes)
  const wishOf = new Map(wishes.map((wish) => [wish.VariantName, wish]))
  return {
    ...endpoint,
    modifiedAtMs: nowMs,
    status: 'Updating',
    failureReason: undefined,
    serving: retainVariants(serving, (variantName) => {
      const { DesiredInstanceCount, DesiredWeight } = wishOf.get(variantName) ?? {}
      return {
        ...(DesiredInstanceCount === undefined
          ? {}
          : { desiredInstanceCount: DesiredInstanceCount }),
        ...(DesiredWeight === undefined ? {} : { desiredWeight: DesiredWeight }),
      }
    }),
    deployment: { kind: 'capacity', previous: serving, startedAtMs: nowMs },
  }
}

function refuseUnknownVariants({ serving, configName }: Endpoint, wishes: readonly Wish[]): void {
  const known = new Set(serving?.variants.map(({ variantName }) => variantName))
  const unknown = wishes.map(({ VariantName }) => VariantName).filter((name) => !known.has(name))
  if (unknown.length === 0) return
  throw invalid(
    `The variant name(s) "${unknown.join(', ')}" is/are not present within endpoint configuration "${configName}".`,
  )
}

function describeWish({ VariantName, DesiredInstanceCount, DesiredWeight }: Wish): string {
  const parts = [
    ...(DesiredInstanceCount === undefined ? [] : [`${DesiredInstanceCount} instance(s)`]),
    ...(DesiredWeight === undefined ? [] : [`weight ${DesiredWeight}`]),
  ]
  return `variant ${VariantName} to ${parts.length === 0 ? 'what it has' : parts.join(' and ')}`
}
