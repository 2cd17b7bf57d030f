/** Standard output as a screen. */
import type { Screen } from '../live-view.ts';

/** What a pipe or a log gets, and a terminal that does not say its size. */
const DEFAULT_SIZE = { columns: 100, rows: 40 };

export function processScreen(): Screen {
  const { stdout } = process;
  const terminal = stdout.isTTY === true;
  return {
    write: (text) => void stdout.write(text),
    live: terminal,
    // hasColors goes by NO_COLOR, FORCE_COLOR and TERM (https://no-color.org)
    colour: terminal && stdout.hasColors(),
    size: () => ({
      columns: stdout.columns || DEFAULT_SIZE.columns,
      rows: stdout.rows || DEFAULT_SIZE.rows,
    }),
  };
}
