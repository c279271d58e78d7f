/** Numbers in [0, 1) that look random and are the same on every machine for the same seed: a 32-bit xorshift. */
export function seeded(seed: number): () => number {
  let state = seed === 0 ? 1 : seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
