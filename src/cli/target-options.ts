import { type Command, InvalidArgumentError } from 'commander'
import type { TargetOptions } from '../system/target.js'

/** Adds the options that name a target, the same for every command that has one. */
export const addTargetOptions = (command: Command): Command =>
  command
    .optionsGroup('Which service (with none of these, the one with the most traffic):')
    .option('--port <number>', 'the service that listens on this TCP port', parsePort)
    .option('--pid <number>', 'the service of this process', parsePid)
    .option('--comm <name>', 'the service of the program with this name')
    .option('--cgroup <path>', 'the service in this cgroup')
    .option('--unit <name>', 'the service of this systemd unit')
    .option('--netns <name>', 'the service in this network namespace (name, path or inode)')
    .optionsGroup('Options:')

/** Picks the target out of a command's options. */
export const pickTarget = (options: TargetOptions): TargetOptions => {
  const { port, pid, comm, cgroup, unit, netns } = options
  return {
    ...(port !== undefined && { port }),
    ...(pid !== undefined && { pid }),
    ...(comm !== undefined && { comm }),
    ...(cgroup !== undefined && { cgroup }),
    ...(unit !== undefined && { unit }),
    ...(netns !== undefined && { netns }),
  }
}

const parsePort = (text: string): number =>
  parseWhole(text, 65535, 'A port is a whole number from 1 to 65535.')

const parsePid = (text: string): number => parseWhole(text, 2 ** 22, 'A process id is a whole number from 1.')

const parseWhole = (text: string, highest: number, complaint: string): number => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > highest) throw new InvalidArgumentError(complaint)
  return value
}
