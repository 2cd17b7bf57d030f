/**
 * Which cases property tests try. A run that gates a change tries the same ones each time, so that it fails because of
 * the change. `npm run properties` tries new ones, and THALWEG_PROPERTY_SEED=N those of a failure that was reported.
 */
import fc from 'fast-check';

const GATE_SEED = 20_261_123;

const asked = process.env.THALWEG_PROPERTY_SEED;
if (asked !== 'random') {
  const seed = Number(asked ?? GATE_SEED);
  if (!Number.isInteger(seed)) {
    throw new Error(`THALWEG_PROPERTY_SEED: a whole number or "random" is needed, not "${asked}".`);
  }
  fc.configureGlobal({ seed });
}
