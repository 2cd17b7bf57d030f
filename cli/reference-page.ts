/** docs/reference.md, made from the tree of commands and the config schemas. Pure. */
import type { Command, Option } from 'commander';
import { ERROR_CODES } from '../protocol/error.ts';
import { forEachCommand } from './command-line.ts';
import type { ConfigField } from './config-fields.ts';
import { defaultText, flagText } from './config-flags.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';

const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  failed: 'an expectation of a scenario was missed, or the system failed',
  usage: 'wrong usage or input',
  unreachable: 'the core cannot be reached',
  notFound: 'what was named does not exist',
  missing: 'a privilege, a program or a kernel feature is missing',
};

/** `settings`: per command name (`core`, `agent`) the fields of its config. */
export function referencePage(program: Command, settings: ReadonlyMap<string, readonly ConfigField[]>): string {
  const parts = ['# Command reference\n', 'Made by `npm run docs`; edit the sources instead.\n'];
  parts.push(`\`\`\`\nthalweg ${program.usage()}\n\`\`\`\n`, optionTable(program.options));
  parts.push(exitTable());
  forEachCommand(program, (command) => {
    if (command === program || command.name() === 'help') return;
    const chain = chainOf(command);
    parts.push(`## ${chain}\n`, `${sentence(command.description())}\n`);
    const runs = command.commands.length === 0 || settings.has(command.name());
    if (runs) parts.push(`\`\`\`\n${usageLine(chain, command)}\n\`\`\`\n`);
    const fields = command.parent === program ? settings.get(command.name()) : undefined;
    if (fields !== undefined) parts.push(settingTable(fields));
    else parts.push(optionTable(command.options.filter((option) => !option.hidden)));
    for (const argument of command.registeredArguments) {
      if (argument.description) parts.push(`\`${argument.name()}\`: ${argument.description}.\n`);
    }
  });
  return `${parts
    .filter((part) => part !== '')
    .join('\n')
    .trimEnd()}\n`;
}

function chainOf(command: Command): string {
  return command.parent === null ? command.name() : `${chainOf(command.parent)} ${command.name()}`;
}

function usageLine(chain: string, command: Command): string {
  const names = command.registeredArguments.map((argument) =>
    argument.required
      ? `<${argument.name()}${argument.variadic ? '…' : ''}>`
      : `[${argument.name()}${argument.variadic ? '…' : ''}]`,
  );
  return [chain, '[options]', ...names].join(' ');
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const standard = option.defaultValue === undefined || option.negate ? '' : `\`${String(option.defaultValue)}\``;
    return `| \`${cell(option.flags)}\` | ${standard} | ${cell(option.description)} |`;
  });
  return rows.length === 0 ? '' : `| flag | default | |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

function settingTable(fields: readonly ConfigField[]): string {
  const rows = fields.map((field) => {
    const standard = defaultText(field) || (field.type === 'boolean' ? String(field.default) : '');
    return `| \`${field.name}\` | \`${cell(flagText(field))}\` | ${standard && `\`${cell(standard)}\``} | ${cell(field.range)} | ${cell(field.description)} |`;
  });
  return [
    'Settings stand in a file (`--config FILE`, YAML or JSON) under the name in the first column, or are given as flags, which win.\n',
    `| setting | flag | default | range | |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`,
  ].join('\n');
}

function exitTable(): string {
  const rows = Object.entries(EXIT).map(([name, code]) => {
    const codes = ERROR_CODES.filter((error) => exitCodeOf(error) === code && code !== EXIT.failed).map(
      (e) => `\`${e}\``,
    );
    const errors = code === EXIT.failed ? 'every other code' : codes.join(', ');
    return `| ${code} | ${EXIT_MEANING[name as keyof typeof EXIT]} | ${errors} |`;
  });
  return `## Exit codes\n\n| code | meaning | error codes |\n| --- | --- | --- |\n${rows.join('\n')}\n
With \`--json\` an error is one line on stdout: \`{"error": {"code", "message", "nextStep", "fields"}}\`.\n`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
