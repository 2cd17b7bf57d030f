/** Aligned tables for terminals: one row per line, whatever the cells hold, two spaces between columns. */

export interface Column {
  readonly title: string;
  /** Numbers go to the right. */
  readonly align?: 'left' | 'right';
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences have no width
const COLOUR = /\u001b\[\d*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: names and labels come from other machines
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Pure. No trailing blanks; ends with a line feed. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map((column) => column.title);
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => width(row[i] ?? ''))));
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, i) => {
        const cell = cells[i] ?? '';
        const blank = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
        return column.align === 'right' ? blank + cell : cell + blank;
      })
      .join('  ')
      .trimEnd();
  return [titles, ...rows].map((cells) => `${line(cells)}\n`).join('');
}

/** `name  value` lines. */
export function pairs(entries: readonly (readonly [string, string])[]): string {
  const longest = Math.max(...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => `${name.padEnd(longest)}  ${value}`.trimEnd())
    .join('\n')
    .concat('\n');
}

/** Text of another machine, safe for this terminal: no line breaks, no escape sequences. */
export function plain(text: string): string {
  return text.replace(CONTROL, '?');
}

function width(text: string): number {
  return [...text.replace(COLOUR, '')].length;
}
