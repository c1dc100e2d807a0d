import { KNOBS } from './all.js'
import { KNOB_NAMES } from './names.js'

const SELECTORS = {
  nic: 'It is of a network device (`--nic`, in profiles `nic`).',
  cpus: 'It is of CPUs (`--cpus`, in profiles `cpus`), of all by default.',
  service: 'It is of a service (`--port`, in profiles `service`).',
}

/** Gives docs/knobs.md, made of what the knobs say of themselves. */
export const documentKnobs = (): string => {
  const sections = KNOB_NAMES.map(name => {
    const knob = KNOBS[name]
    const about = [
      knob.about,
      knob.selector === null ? 'It is of the whole machine.' : SELECTORS[knob.selector],
    ]
    return `## ${name}

${about.join(' ')}

| | |
|---|---|
| where | ${knob.where} |
| default | ${knob.default} |
| values | ${knob.values} |
| helps | ${knob.helps} |
| harms | ${knob.harms} |
| effect | ${knob.effect} |
`
  })
  return `${HEAD}\n${sections.join('\n')}`
}

const HEAD = `# The knobs

What \`taut apply\` can set; this page is made of what the knobs say of themselves. Before a knob is touched, what it was is
in the journal; after, its effect is looked for: it is \`verified\` when it was seen, \`no-effect\` when it should have been and was
not, and \`written\` when it only reads back. \`taut revert\` puts it back.
`
