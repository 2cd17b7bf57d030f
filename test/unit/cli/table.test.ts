import { expect, test } from 'vitest';
import { Paint } from '../../../cli/print/paint.ts';
import { pairs, plain, table } from '../../../cli/print/table.ts';

test('columns are as wide as their widest cell; numbers to the right; no trailing blanks', () => {
  const text = table(
    [{ title: 'NAME' }, { title: 'RTT', align: 'right' }, { title: 'WHY' }],
    [
      ['frankfurt', '5.21 ms', ''],
      ['a', '104 ms', 'x'],
    ],
  );
  expect(text).toBe('NAME           RTT  WHY\nfrankfurt  5.21 ms\na           104 ms  x\n');
});

test('colour has no width', () => {
  const paint = new Paint(true);
  const text = table([{ title: 'STATE' }, { title: 'B' }], [[paint.good('up'), 'b']]);
  expect(text).toBe('STATE  B\n\u001b[32mup\u001b[0m     b\n');
  expect(new Paint(false).good('up')).toBe('up');
});

test('text of other machines cannot move the cursor or break the line', () => {
  expect(plain('a\nb\u001b[2Jc\u0000')).toBe('a?b?[2Jc?');
});

test('pairs align their values', () => {
  expect(
    pairs([
      ['id', '7'],
      ['name', 'a'],
      ['none', ''],
    ]),
  ).toBe('id    7\nname  a\nnone\n');
});
