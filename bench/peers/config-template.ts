/**
 * Fills in a peer's configuration file. Pure. In a template `{{name}}` is a value, and the lines between a line `{{each tunnel}}`
 * and a line `{{end}}` are repeated for each tunnel, whose own values go before the host's.
 */
import { ThalwegError } from '../../protocol/error.ts';

export type TemplateValues = Readonly<Record<string, string | number>>;

/** Throws invalid_argument for a name without a value, and for a repeated part that has no end or no start. */
export function renderTemplate(template: string, host: TemplateValues, tunnels: readonly TemplateValues[]): string {
  const lines: string[] = [];
  let repeated: string[] | null = null;
  for (const line of template.split('\n')) {
    if (line.trim() === '{{each tunnel}}') {
      if (repeated !== null) throw fault('a repeated part begins inside another');
      repeated = [];
    } else if (line.trim() === '{{end}}') {
      if (repeated === null) throw fault('{{end}} without {{each tunnel}}');
      for (const tunnel of tunnels) lines.push(...repeated.map((inner) => fill(inner, { ...host, ...tunnel })));
      repeated = null;
    } else if (repeated !== null) {
      repeated.push(line);
    } else {
      lines.push(fill(line, host));
    }
  }
  if (repeated !== null) throw fault('{{each tunnel}} without {{end}}');
  return lines.join('\n');
}

function fill(line: string, values: TemplateValues): string {
  return line.replace(/\{\{([^}]*)\}\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) throw fault(`no value is named ${name}`);
    return String(value);
  });
}

function fault(what: string): ThalwegError {
  return new ThalwegError('invalid_argument', `configuration template: ${what}`);
}
