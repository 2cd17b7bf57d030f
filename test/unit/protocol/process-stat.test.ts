import { describe, expect, it } from 'vitest';
import { parseProcessStat, processorMs, readProcessStat } from '../../../protocol/process-stat.ts';

const LINE = '7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 100 50 25 26 20 0 1 0 999';

describe('the fields of /proc/PID/stat', () => {
  it('have the numbers of the manual, whatever the name is', () => {
    const fields = parseProcessStat(LINE);
    expect(fields).toMatchObject({ 0: '', 1: '7', 2: 'a (b) c', 3: 'S', 4: '1', 14: '100', 17: '26', 22: '999' });
  });

  it.each(['', '7', '7 a S 1', '7 )a( S 1'])('are not in %j', (text) => {
    expect(parseProcessStat(text)).toBeNull();
  });

  it('are those of a process that runs', () => {
    const fields = readProcessStat(process.pid);
    expect(fields[1]).toBe(`${process.pid}`);
    expect(processorMs(fields, false)).toBeGreaterThan(0);
    expect(processorMs(fields, true)).toBeGreaterThanOrEqual(processorMs(fields, false));
  });

  it('cannot be read of a process that is none', () => {
    expect(() => readProcessStat(0)).toThrow('ENOENT');
  });
});

describe('processor time', () => {
  it('is that of user and system together, with the children or without', () => {
    const fields = parseProcessStat(LINE) ?? [];
    expect(processorMs(fields, false)).toBe(1500);
    expect(processorMs(fields, true)).toBe(2010);
  });

  it('is not a number where the fields do not say it', () => {
    expect(processorMs(parseProcessStat('7 (a) S 1') ?? [], false)).toBeNaN();
  });
});
