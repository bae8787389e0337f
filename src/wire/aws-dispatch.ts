/** Who answers a request. `not-offered` names a service of AWS that Berth knows and does not have. */
export type Destination =
  | { readonly kind: 'sagemaker'; readonly operation: string }
  | {
      readonly kind: 'runtime'
      readonly endpointName: string
      readonly operation: string
    }
  | { readonly kind: 'query' }
  | { readonly kind: 's3' }
  | { readonly kind: 'health' }
  | { readonly kind: 'berth' }
  | {
      readonly kind: 'not-offered'
      readonly service: string
      readonly family: 'json' | 'rest-json' | 'query'
    }
