/** Reads a scenario file: text -> YAML -> schema -> checks that need more than one value -> Scenario. */
import { readFile, stat } from 'node:fs/promises';
import type { z } from 'zod';
import { ThalwegError } from '../../protocol/error.ts';
import type { Scenario } from './scenario.ts';
import { resolveScenario } from './scenario-check.ts';
import { knownKeys, SCENARIO_LIMITS, scenarioSchema } from './scenario-schema.ts';
import { type ScenarioProblem, ScenarioSource } from './scenario-source.ts';
import { suggest } from './suggestion.ts';

/** Throws not_found when there is no such file and invalid_scenario, naming file and line, when it is not right. */
export async function readScenario(file: string): Promise<Scenario> {
  let size: number;
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new Error(found.isDirectory() ? 'it is a folder' : 'it is not a file');
    size = found.size;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ThalwegError('not_found', `scenario file ${file} cannot be read: ${code ?? message}`, {
      cause,
      fields: { file },
      nextStep: 'name a scenario file; those that ship are in netlab/scenarios',
    });
  }
  if (size > SCENARIO_LIMITS.fileBytes) throw tooLarge(file, size);
  return parseScenario(file, await readFile(file, 'utf8'));
}

/** As readScenario, for text in hand. `file` only names it in errors. Throws nothing but invalid_scenario. */
export function parseScenario(file: string, text: string): Scenario {
  if (text.length > SCENARIO_LIMITS.fileBytes) throw tooLarge(file, text.length);
  if (NOT_TEXT.test(text)) throw notText(file);
  const source = ScenarioSource.parse(file, text);
  const parsed = scenarioSchema.safeParse(source.value, { reportInput: true });
  if (!parsed.success) throw source.error(parsed.error.issues.flatMap(problemsOf));
  const { scenario, problems } = resolveScenario(file, parsed.data);
  if (scenario === null) throw source.error(problems);
  return scenario;
}

/** What no text has: NUL, other control characters, and what stands for bytes that are not UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_TEXT = /[\0-\x08\x0e-\x1a\x1c-\x1f\ufffd]/;

function notText(file: string): ThalwegError {
  return new ThalwegError('invalid_scenario', `${file}:1: the file is not text in UTF-8`, {
    fields: { file, line: 1, field: '', problems: 1 },
    nextStep: 'name a scenario file; those that ship are in netlab/scenarios',
  });
}

function tooLarge(file: string, bytes: number): ThalwegError {
  return new ThalwegError('invalid_scenario', `${file}:1: the file has ${bytes} bytes, at most 1 MiB is read`, {
    fields: { file, line: 1, field: '', problems: 1 },
    nextStep: 'name a scenario file; those that ship are in netlab/scenarios',
  });
}

function problemsOf(issue: z.core.$ZodIssue): ScenarioProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: issue.path,
      key,
      message: `unknown key ${JSON.stringify(key)}${suggest(key, knownKeys(issue.path))}`,
    }));
  }
  if (issue.input === undefined) return [{ path: issue.path, message: 'is missing' }];
  if (issue.path.length === 0 && issue.code === 'invalid_type') {
    const what = issue.input === null ? 'the file holds nothing' : 'this is no scenario';
    return [{ path: issue.path, message: `${what}: a scenario is a map of keys, such as name: and hosts:` }];
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const seen = typeof issue.input === 'string' ? issue.input : '';
    return [
      { path: issue.path, message: `not one of ${values.join(', ')}${seen === '' ? '' : suggest(seen, values)}` },
    ];
  }
  return [{ path: issue.path, message: `${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}` }];
}
