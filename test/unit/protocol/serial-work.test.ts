import { expect, it } from 'vitest';
import { SerialWork } from '../../../protocol/serial-work.ts';

it('does one piece after the other, also after one that fails', async () => {
  const work = new SerialWork();
  const seen: string[] = [];
  const piece = (name: string) => async () => {
    seen.push(`${name} begins`);
    await Promise.resolve();
    seen.push(`${name} ends`);
    return name;
  };
  const first = work.run(piece('a'));
  const failing = work.run(async () => {
    throw new Error('b fails');
  });
  const last = work.run(piece('c'));
  await expect(failing).rejects.toThrow('b fails');
  expect(await Promise.all([first, last])).toEqual(['a', 'c']);
  expect(seen).toEqual(['a begins', 'a ends', 'c begins', 'c ends']);
});

it('is idle when all that was asked for is over', async () => {
  const work = new SerialWork();
  let isOver = false;
  void work.run(async () => {
    await Promise.resolve();
    isOver = true;
  });
  await work.idle();
  expect(isOver).toBe(true);
});
