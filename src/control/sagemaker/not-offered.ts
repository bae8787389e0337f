import type { OperationShapes } from '../../wire/sagemaker-operations.ts'
import { invalid } from './refusals.ts'

type ModelInput = OperationShapes['CreateModel']['input']
type ContainerInput = NonNullable<ModelInput['PrimaryContainer']>
type ModelDataInput = NonNullable<NonNullable<ContainerInput['ModelDataSource']>['S3DataSource']>
type ConfigInput = OperationShapes['CreateEndpointConfig']['input']
type VariantInput = ConfigInput['ProductionVariants'][number]
type DeploymentInput = NonNullable<OperationShapes['UpdateEndpoint']['input']['DeploymentConfig']>
type CompilationInput = OperationShapes['CreateCompilationJob']['input']
type CapacityInput =
  OperationShapes['UpdateEndpointWeightsAndCapacities']['input']['DesiredWeightsAndCapacities'][number]

/** A member that asks for something this version does not have. */
interface Row<Input> {
  readonly member: keyof Input & string
  /** Completes "does not offer …". */
  readonly feature: string
  /** When the member asks for it. @defaultValue whenever it is given */
  readonly isAsked?: (input: Input) => boolean
}

/*
 * Everything of the offered operations that Berth refuses for now, so that nothing is accepted and then ignored. To
 * offer a feature, delete its row.
 */

/** CreateModel. Isolation and security groups are promises: a runtime that cannot keep them must not take them. */
export const MODEL_ROWS: readonly Row<ModelInput>[] = [
  {
    member: 'EnableNetworkIsolation',
    feature: 'network isolation of containers',
    isAsked: ({ EnableNetworkIsolation }) => EnableNetworkIsolation === true,
  },
  { member: 'VpcConfig', feature: 'security groups and subnets' },
]

/** A container of CreateModel. */
export const CONTAINER_ROWS: readonly Row<ContainerInput>[] = [
  { member: 'ModelPackageName', feature: 'the model registry' },
  { member: 'InferenceSpecificationName', feature: 'the model registry' },
  {
    member: 'AdditionalModelDataSources',
    feature: 'additional model data',
    isAsked: ({ AdditionalModelDataSources }) => (AdditionalModelDataSources?.length ?? 0) > 0,
  },
  { member: 'ContainerMetricsConfig', feature: 'metrics of a container itself' },
]

/** The `S3DataSource` of a container. */
export const MODEL_DATA_ROWS: readonly Row<ModelDataInput>[] = [
  { member: 'HubAccessConfig', feature: 'the model hub' },
  { member: 'ManifestS3Uri', feature: 'manifests of model data' },
  { member: 'ManifestEtag', feature: 'manifests of model data' },
  { member: 'ETag', feature: 'model data pinned to an entity tag' },
]

/** CreateEndpointConfig. */
export const CONFIG_ROWS: readonly Row<ConfigInput>[] = [
  { member: 'AsyncInferenceConfig', feature: 'asynchronous inference' },
  {
    member: 'ShadowProductionVariants',
    feature: 'shadow variants',
    isAsked: ({ ShadowProductionVariants }) => (ShadowProductionVariants?.length ?? 0) > 0,
  },
  {
    member: 'DataCaptureConfig',
    feature: 'data capture',
    // `EnableCapture` is true when it is not given.
    isAsked: ({ DataCaptureConfig }) =>
      DataCaptureConfig !== undefined && DataCaptureConfig.EnableCapture !== false,
  },
  { member: 'ExplainerConfig', feature: 'online explanations' },
  {
    member: 'EnableNetworkIsolation',
    feature: 'network isolation of containers',
    isAsked: ({ EnableNetworkIsolation }) => EnableNetworkIsolation === true,
  },
  { member: 'VpcConfig', feature: 'security groups and subnets' },
  { member: 'MetricsConfig', feature: 'enhanced metrics' },
]

/** A variant of CreateEndpointConfig. */
export const VARIANT_ROWS: readonly Row<VariantInput>[] = [
  { member: 'ServerlessConfig', feature: 'serverless inference' },
  { member: 'InstancePools', feature: 'instance pools' },
  { member: 'VariantInstanceProvisionTimeoutInSeconds', feature: 'instance pools' },
  {
    member: 'ManagedInstanceScaling',
    feature: 'managed instance scaling',
    isAsked: ({ ManagedInstanceScaling }) =>
      ManagedInstanceScaling !== undefined && ManagedInstanceScaling.Status !== 'DISABLED',
  },
  { member: 'CapacityReservationConfig', feature: 'capacity reservations' },
  { member: 'CoreDumpConfig', feature: 'core dumps in an object store' },
  {
    member: 'RoutingConfig',
    feature: 'prefix-aware routing',
    isAsked: ({ RoutingConfig }) =>
      RoutingConfig?.RoutingStrategy === 'PREFIX_AWARE' ||
      RoutingConfig?.PrefixAwareRoutingConfig !== undefined,
  },
  {
    member: 'ModelName',
    feature: 'inference components, variants without a model of their own',
    isAsked: ({ ModelName }) => ModelName === undefined,
  },
]

/** `DeploymentConfig` of CreateEndpoint and UpdateEndpoint: all at once, without a bake, is what there is. */
export const DEPLOYMENT_ROWS: readonly Row<DeploymentInput>[] = [
  { member: 'RollingUpdatePolicy', feature: 'rolling deployment' },
  {
    member: 'BlueGreenUpdatePolicy',
    feature: 'canary and linear traffic shifting',
    isAsked: ({ BlueGreenUpdatePolicy }) =>
      BlueGreenUpdatePolicy !== undefined &&
      BlueGreenUpdatePolicy.TrafficRoutingConfiguration.Type !== 'ALL_AT_ONCE',
  },
  {
    member: 'BlueGreenUpdatePolicy',
    feature: 'a termination wait or a time limit of a deployment',
    isAsked: ({ BlueGreenUpdatePolicy }) =>
      (BlueGreenUpdatePolicy?.TerminationWaitInSeconds ?? 0) > 0 ||
      BlueGreenUpdatePolicy?.MaximumExecutionTimeoutInSeconds !== undefined,
  },
  {
    member: 'AutoRollbackConfiguration',
    feature: 'rollback on alarms',
    isAsked: ({ AutoRollbackConfiguration }) =>
      (AutoRollbackConfiguration?.Alarms?.length ?? 0) > 0,
  },
]

/** An entry of UpdateEndpointWeightsAndCapacities. */
export const CAPACITY_ROWS: readonly Row<CapacityInput>[] = [
  { member: 'ServerlessUpdateConfig', feature: 'serverless inference' },
]

/** CreateCompilationJob. */
export const COMPILATION_ROWS: readonly Row<CompilationInput>[] = [
  { member: 'VpcConfig', feature: 'security groups and subnets' },
]

/**
 * @param at where the input lies in the request, in AWS's path notation: empty, or `productionVariants.1.member`.
 * @throws BerthError `ValidationException`: the input asks for a feature of one of the rows.
 */
export function refuseNotOffered<Input>(rows: readonly Row<Input>[], input: Input, at = ''): void {
  const row = rows.find(({ member, isAsked }) =>
    isAsked === undefined ? input[member] !== undefined : isAsked(input),
  )
  if (row === undefined) return
  const member = row.member.charAt(0).toLowerCase() + row.member.slice(1)
  const path = at === '' ? member : `${at}.${member}`
  throw invalid(`This version of Berth does not offer ${row.feature}; '${path}' asks for it.`)
}
