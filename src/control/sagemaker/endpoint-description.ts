import type { Endpoint } from '../../domain/endpoint.ts'
import { standInFor } from '../../domain/framework-image.ts'
import type { FleetVariant } from '../../domain/fleet.ts'
import { encodeInstanceType, restoreShape } from '../../wire/sagemaker-operations.ts'
import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { variantStatusOf } from './variant-status.ts'

type Description = OperationShapes['DescribeEndpoint']['output']
type VariantSummary = NonNullable<Description['ProductionVariants']>[number]
type PendingSummary = NonNullable<Description['PendingDeploymentSummary']>

// Source: SageMaker API reference, `FailureReason`.
const FAILURE_REASON_CHARS_MAX = 1024

/** An endpoint as DescribeEndpoint shows it. */
export function endpointDescriptionOf(endpoint: Endpoint): Description {
  const { failureReason, lastDeploymentConfig, serving } = endpoint
  return {
    EndpointName: endpoint.name,
    EndpointArn: endpoint.arn,
    EndpointConfigName: endpoint.configName,
    EndpointStatus: endpoint.status,
    CreationTime: new Date(endpoint.createdAtMs),
    LastModifiedTime: new Date(endpoint.modifiedAtMs),
    ProductionVariants: serving?.variants.map((variant) => servingSummary(variant, endpoint)),
    PendingDeploymentSummary: pendingSummary(endpoint),
    FailureReason: failureReason?.slice(0, FAILURE_REASON_CHARS_MAX),
    LastDeploymentConfig:
      lastDeploymentConfig && restoreShape('DeploymentConfig', lastDeploymentConfig),
  }
}

function servingSummary(variant: FleetVariant, endpoint: Endpoint): VariantSummary {
  const status = variantStatusOf(variant, endpoint)
  return {
    ...summaryOf(variant),
    ...(status === undefined ? {} : { VariantStatus: [status] }),
  }
}

// Only a deployment of a new generation has one: counts and weights change in place.
function pendingSummary({ deployment }: Endpoint): PendingSummary | undefined {
  if (deployment === undefined || deployment.kind === 'capacity') return undefined
  const { green, startedAtMs } = deployment
  const startTime = new Date(startedAtMs)
  return {
    EndpointConfigName: green.configName,
    StartTime: startTime,
    ProductionVariants: green.variants.map((variant) => ({
      ...summaryOf(variant),
      InstanceType: encodeInstanceType(variant.instanceType),
      VariantStatus: [
        {
          Status: 'Creating',
          StatusMessage: `Launching ${variant.desiredInstanceCount} instance(s).`,
          StartTime: startTime,
        },
      ],
    })),
  }
}

function summaryOf(variant: FleetVariant): VariantSummary {
  const images = new Set(variant.containers.map(({ image }) => image))
  return {
    VariantName: variant.variantName,
    // Built-in images are part of the program and have no digest of their own.
    DeployedImages: [...images].map((image) => ({
      SpecifiedImage: image,
      ResolvedImage: resolved(image),
    })),
    CurrentWeight: variant.currentWeight,
    DesiredWeight: variant.desiredWeight,
    CurrentInstanceCount: variant.currentInstanceCount,
    DesiredInstanceCount: variant.desiredInstanceCount,
    RoutingConfig: { RoutingStrategy: variant.routingStrategy },
  }
}

function resolved(image: string): string {
  const standIn = standInFor(image)
  return standIn.kind === 'built-in' ? standIn.image : image
}
