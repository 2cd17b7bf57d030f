/**
 * Shows a run while it goes on. On a terminal: one picture, redrawn in place. Elsewhere (a pipe, a log): plain lines as
 * things happen, without escape codes.
 */
import type { Clock, Timer } from '../protocol/clock.ts';
import { BRACKETS_NOTE, renderResult, renderView, type Style, wrap } from './demo/view-render.ts';
import { advance, EMPTY_VIEW, type ViewState } from './demo/view-state.ts';
import type { RunProgress } from './scenario/scenario-result.ts';

/** Where the view goes; the CLI makes it from standard output. */
export interface Screen {
  write(text: string): void;
  /** A terminal on which the cursor can be moved. */
  readonly live: boolean;
  readonly colour: boolean;
  /** Of now: a terminal may be resized. */
  size(): { readonly columns: number; readonly rows: number };
}

/** Smooth enough to watch, slow enough for a slow terminal line. */
const REDRAW_MS = 250;
const ESC = '\u001b';

export class LiveView {
  readonly #screen: Screen;
  readonly #clock: Clock;
  readonly #style: Style;
  #state: ViewState = EMPTY_VIEW;
  #drawn = 0;
  #timer: Timer | undefined;
  #stage = '';

  constructor(deps: { readonly screen: Screen; readonly clock: Clock }) {
    this.#screen = deps.screen;
    this.#clock = deps.clock;
    this.#style = { colour: deps.screen.colour };
  }

  note(progress: RunProgress): void {
    this.#state = advance(this.#state, progress);
    if (this.#screen.live) this.#schedule();
    else this.#print(progress);
  }

  /** A line of its own that stays: above the picture on a terminal. */
  say(text: string): void {
    this.#erase();
    if (text === '') this.#screen.write('\n');
    // a command keeps its indent and is never broken
    else if (text.startsWith(' ')) this.#screen.write(`${text}\n`);
    else for (const line of wrap(text, this.#screen.size().columns, 20)) this.#screen.write(`${line}\n`);
  }

  /** Leaves the last picture of the scenario and its verdict on the screen. */
  finish(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#screen.live) this.#draw();
    this.#drawn = 0;
    const { result } = this.#state;
    if (result === null) return;
    this.#screen.write('\n');
    for (const line of renderResult(result, this.#screen.size().columns, this.#style)) this.#screen.write(`${line}\n`);
    this.#screen.write('\n');
  }

  #schedule(): void {
    this.#timer ??= this.#clock.after(REDRAW_MS, () => {
      this.#timer = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    const size = this.#screen.size();
    const room = Math.max(5, size.rows - 1);
    const lines = renderView(this.#state, { columns: size.columns, rows: room }, this.#style).slice(0, room);
    // One write that overwrites line by line and clears only what is left over: nothing flickers.
    const back = this.#drawn > 0 ? `${ESC}[${this.#drawn}A` : '';
    this.#screen.write(`${back}${lines.map((line) => `${line}${ESC}[K\n`).join('')}${ESC}[J`);
    this.#drawn = lines.length;
  }

  /** Back to where the picture began, and clear from there. */
  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`${ESC}[${this.#drawn}A${ESC}[0J`);
    this.#drawn = 0;
  }

  #print(progress: RunProgress): void {
    const { columns } = this.#screen.size();
    const line = (text: string) => this.#screen.write(`${text}\n`);
    switch (progress.kind) {
      case 'scenario':
        line('');
        line(`== ${progress.name}: ${progress.hosts.length} hosts`);
        for (const text of wrap(progress.description, columns, 10)) line(text);
        return;
      case 'building': {
        const text = `${progress.stage}${progress.total > 1 ? ` ${progress.done} of ${progress.total}` : ''}`;
        if (text !== this.#stage) line(`... ${text}`);
        this.#stage = text;
        return;
      }
      case 'started': {
        const when =
          progress.steeredMs === null
            ? 'not steered in time'
            : `steered after ${(progress.steeredMs / 1_000).toFixed(1)} s`;
        line(`... ${when}; the scenario begins (${progress.durationMs / 1_000} s)`);
        return;
      }
      case 'event':
      case 'pathChange': {
        const last = this.#state.log.at(-1);
        if (last !== undefined) line(`${`${last.at.toFixed(1)} s`.padStart(8)}  ${last.text}`);
        return;
      }
      case 'finished':
        line('');
        for (const text of renderView(
          { ...this.#state, description: '', log: [] },
          { columns, rows: 40 },
          this.#style,
        )) {
          line(text);
        }
        line(BRACKETS_NOTE);
        return;
      default:
        return;
    }
  }
}
