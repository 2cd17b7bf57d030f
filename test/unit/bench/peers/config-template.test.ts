import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderTemplate } from '../../../../bench/peers/config-template.ts';
import { CONTESTANTS } from '../../../../bench/peers/contestants.ts';
import { projectRoot } from '../../../../protocol/program-file.ts';

describe('a configuration template', () => {
  it('takes values of the host, and of each tunnel in what is repeated', () => {
    const template = ['id {{address}}', '{{each tunnel}}', 'if {{interface}} {{address}} {{cost}}', '{{end}}', 'end'];
    const rendered = renderTemplate(template.join('\n'), { address: '100.64.0.1', cost: 1 }, [
      { interface: 'w-b', cost: 10 },
      { interface: 'w-r' },
    ]);
    expect(rendered.split('\n')).toEqual(['id 100.64.0.1', 'if w-b 100.64.0.1 10', 'if w-r 100.64.0.1 1', 'end']);
  });

  it('leaves out what is repeated where there is no tunnel', () => {
    expect(renderTemplate('a\n{{each tunnel}}\nb\n{{end}}\nc', {}, [])).toBe('a\nc');
  });

  it.each([
    ['no value is named adress', 'id {{adress}}'],
    ['no value is named toString', '{{toString}}'],
    ['{{end}} without', '{{end}}'],
    ['without {{end}}', '{{each tunnel}}\nx'],
    ['inside another', '{{each tunnel}}\n{{each tunnel}}\n{{end}}'],
  ])('is refused: %s', (reason, template) => {
    expect(() => renderTemplate(template, { address: 'x' }, [])).toThrow(reason);
  });

  it('is there for every peer, renders with the values that hosts have, and none is left over', () => {
    const folder = join(projectRoot(), 'bench/peers');
    const used = CONTESTANTS.flatMap(({ configuration }) => (configuration.endsWith('.conf') ? [configuration] : []));
    expect(used.length).toBeGreaterThan(5);
    for (const file of used) {
      const host = { address: '100.64.0.1', socket: '/run/x.sock' };
      const text = renderTemplate(readFileSync(join(folder, file), 'utf8'), host, [
        { interface: 'w-b', cost: 10 },
        { interface: 'w-r', cost: 20 },
      ]);
      expect(text).not.toContain('{{');
      expect(text).toContain('w-b');
      expect(text).toContain('w-r');
    }
    expect(
      readdirSync(join(folder, 'config'))
        .map((name) => `config/${name}`)
        .sort(),
    ).toEqual([...used].sort());
  });
});
