// Preloaded by the test commands. Property tests draw the same cases in every run, so that what decides about a change is the
// change; `BERTH_TEST_SEED=random`, or a number, draws others. fast-check prints the seed of a failure in any case.
import fc from 'fast-check'

const wanted = process.env['BERTH_TEST_SEED'] ?? '1'
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted) })
