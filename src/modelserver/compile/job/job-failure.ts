/** Why a compilation cannot succeed with this model and these options: a sentence for its owner. */
export class JobFailure extends Error {}
