/** The project's own source files and what they import. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export const ROOMS = ['protocol', 'overlay', 'steering', 'agent', 'netlab', 'cli'] as const;
export type Room = (typeof ROOMS)[number];

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly room: Room;
  readonly text: string;
  /** Text without comments and string contents: what is left is code. */
  readonly code: string;
  readonly imports: readonly SourceImport[];
}

export interface SourceImport {
  /** As written. */
  readonly specifier: string;
  /** Path from the root for a relative import, else null. */
  readonly path: string | null;
  readonly typeOnly: boolean;
}

/** Every .ts and .mjs file of the rooms; generated code too, since it must obey the room table. */
export function sourceFiles(): SourceFile[] {
  return ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs)$/.test(name))
      .map((name) => {
        const path = `${room}/${name}`;
        const text = readFileSync(join(ROOT, path), 'utf8');
        return { path, room, text, code: withoutCommentsAndStrings(text), imports: importsOf(path, text) };
      }),
  );
}

const STATIC = /^[ \t]*(import|export)\s+(type\s)?[^'";]*?from\s*'([^']+)'|^[ \t]*import\s*'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)/g;
const BY_URL = /new URL\(\s*'(\.[^']+\.(?:ts|js))'\s*,\s*import\.meta\.url\s*\)/g;

export function importsOf(path: string, text: string): SourceImport[] {
  const found: SourceImport[] = [];
  const add = (specifier: string | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return;
    const relative = specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : null;
    found.push({ specifier, path: relative, typeOnly });
  };
  for (const match of text.matchAll(STATIC)) add(match[3] ?? match[4], match[2] !== undefined);
  for (const match of text.matchAll(DYNAMIC)) add(match[1], false);
  for (const match of text.matchAll(BY_URL)) add(match[1], false);
  return found;
}

/** Blanks out comments and the contents of strings, keeping line breaks; `${…}` inside templates stays. */
export function withoutCommentsAndStrings(text: string): string {
  return text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, (match) =>
    match.replace(/[^\n]/g, ' '),
  );
}
