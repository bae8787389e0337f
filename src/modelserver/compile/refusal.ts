/** Why a model is better served as it is; trying again would end the same way. The message goes on a sentence. */
export class Refusal extends Error {}
