import { getSystemErrorMessage, getSystemErrorName } from './errno.js'

/** What an error is made of: the errno, what was tried on what, and the messages of libbpf meanwhile. */
export interface BpfErrorDetails {
  readonly errno: number
  readonly operation: string
  readonly subject: string
  readonly messages: string
}

const findProgram = (messages: string): string | undefined =>
  /^libbpf: prog '([^']+)': (?:BPF program load failed|-- BEGIN|failed to|bad )/m.exec(messages)?.[1]

const findLog = (messages: string): string | undefined =>
  /-- BEGIN (?:PROG|BTF) LOAD LOG --\n([\s\S]*?)-- END (?:PROG|BTF) LOAD LOG --/.exec(messages)?.[1]

const describe = ({ errno, operation, subject }: BpfErrorDetails, program: string | undefined): string => {
  const what = program === undefined || program === subject ? subject : `${subject}, program ${program}`
  const name = getSystemErrorName(errno)
  return `${operation}${what === '' ? '' : ` ${what}`}: ${getSystemErrorMessage(errno)} (${name})`
}

/** A refusal by the kernel or by libbpf. */
export class BpfError extends Error {
  override readonly name = 'BpfError'
  /** The name of the errno, as `EPERM`. */
  readonly code: string
  /** The errno, positive; those from 4000 on are libbpf's own. */
  readonly errno: number
  /** What was tried, as `load` or `attach`. */
  readonly operation: string
  /** The program that was refused, where one was. */
  declare readonly program?: string
  /** The verifier's log where there is one, otherwise what libbpf said. */
  declare readonly log?: string

  constructor(details: BpfErrorDetails) {
    const program =
      findProgram(details.messages) ?? (details.operation === 'attach' ? details.subject : undefined)
    const log = findLog(details.messages) ?? details.messages
    super(describe(details, program))
    this.code = getSystemErrorName(details.errno)
    this.errno = details.errno
    this.operation = details.operation
    if (program !== undefined) {
      this.program = program
    }

    if (log !== '') {
      this.log = log
    }
  }
}
