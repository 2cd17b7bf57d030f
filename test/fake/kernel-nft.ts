/** nft 1.0.6 with one table, which it holds as the script that made it. */
import { Refused } from './kernel-objects.ts';

export class KernelNft {
  script: string | null = null;

  run(line: string, stdin: string): string {
    if (line === '-f -') {
      if (!stdin.startsWith('add table inet thalweg\ndelete table inet thalweg\n'))
        throw new Error('not one transaction');
      const body = stdin.split('\n').slice(2).join('\n');
      this.script = body.trim() === '' ? null : body;
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
      const set = /^ {2}set (\w+) \{.*counter; \}$/.exec(text);
      const open = /^ {2}chain (\w+) \{$/.exec(text);
      const hook = /^ {4}type filter hook (\w+) priority (-?\d+); policy (\w+);$/.exec(text);
      const rule = /^ {4}.* comment "([^"]*)"$/.exec(text);
      if (set !== null) items.push({ set: { name: set[1] } });
      else if (open !== null) chain = open[1] ?? '';
      else if (hook !== null) {
        items.push({ chain: { name: chain, hook: hook[1], prio: Number(hook[2]), policy: hook[3] } });
      } else if (rule !== null) items.push({ rule: { chain, comment: rule[1] } });
    }
    return JSON.stringify({ nftables: items });
  }
}
