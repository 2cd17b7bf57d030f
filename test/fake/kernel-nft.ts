/** nft 1.0.6 with one table, which it holds as the script that made it. */
import { Refused } from './kernel-objects.ts';

export class KernelNft {
  script: string | null = null;
  readonly #elements = new Map<string, Set<string>>();

  run(line: string, stdin: string): string {
    if (line === '-f -') {
      if (/^(add|delete) element /.test(stdin)) {
        this.#change(stdin);
        return '';
      }
      if (!stdin.startsWith('add table inet thalweg\ndelete table inet thalweg\n'))
        throw new Error('not one transaction');
      const lines = stdin.split('\n').slice(2);
      const end = lines.indexOf('}') + 1;
      const body = lines.slice(0, end).join('\n');
      this.script = body.trim() === '' ? null : body;
      this.#elements.clear();
      this.#change(lines.slice(end).join('\n'));
      return '';
    }
    const single = /^(add|delete) element inet thalweg .*$/.exec(line);
    if (single !== null) {
      this.#change(line);
      return '';
    }
    if (line === 'delete table inet thalweg') {
      this.script = null;
      return '';
    }
    if (!/^-j (-t )?list table inet thalweg$/.test(line)) throw new Error(`the fake kernel does not know: nft ${line}`);
    if (this.script === null) throw new Refused('Error: No such file or directory');
    const items: unknown[] = [];
    let chain = '';
    for (const text of this.script.split('\n')) {
      const set = /^ {2}set (\w+) \{.*; \}$/.exec(text);
      const open = /^ {2}chain (\w+) \{$/.exec(text);
      const hook = /^ {4}type filter hook (\w+) priority (-?\d+); policy (\w+);$/.exec(text);
      const rule = /^ {4}.* comment "([^"]*)"$/.exec(text);
      if (set !== null) items.push({ set: { name: set[1], ...this.#elementsOf(set[1] ?? '', line.includes(' -t ')) } });
      else if (open !== null) {
        chain = open[1] ?? '';
        items.push({ chain: { name: chain } });
      } else if (hook !== null) {
        items[items.length - 1] = { chain: { name: chain, hook: hook[1], prio: Number(hook[2]), policy: hook[3] } };
      } else if (rule !== null) items.push({ rule: { chain, comment: rule[1], expr: droppedOf(text) } });
    }
    return JSON.stringify({ nftables: items });
  }

  #change(script: string): void {
    for (const line of script.split('\n')) {
      if (line === '') continue;
      const parsed = /^(add|delete) element inet thalweg (\w+) \{ (.*) \}$/.exec(line);
      if (parsed === null) throw new Error(`the fake kernel does not know: nft ${line}`);
      const [, verb, name = '', list = ''] = parsed;
      if (this.script?.includes(`  set ${name} {`) !== true) throw new Refused('Error: No such file or directory');
      const held = this.#elements.get(name) ?? new Set();
      this.#elements.set(name, held);
      for (const element of list.split(', ')) {
        if (verb === 'add') held.add(element);
        else if (!held.delete(element)) throw new Refused('Error: Could not process rule: No such file or directory');
      }
    }
  }

  /** As nft prints elements: numbers above 53 bits as text. */
  #elementsOf(name: string, terse: boolean): { elem?: unknown[] } {
    const held = [...(this.#elements.get(name) ?? [])];
    if (terse || held.length === 0) return {};
    return {
      elem: held.map((element) => {
        const [outer, inner] = element.split(' . ');
        if (inner === undefined) return element;
        return { concat: [outer, inner.length > 12 ? inner : Number(inner)] };
      }),
    };
  }
}

/** Nothing passes the fake kernel, so its counters stay at nothing. */
function droppedOf(rule: string): unknown[] {
  return rule.includes(' counter drop ') ? [{ counter: { packets: 0, bytes: 0 } }, { drop: null }] : [{ accept: null }];
}
