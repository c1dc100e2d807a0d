import { RULES } from './all.js'

/** Gives docs/advise.md, made of what the rules say of themselves. */
export const documentRules = (): string => {
  const rows = RULES.map(({ name, when, knobs }) => {
    const cure = knobs.length === 0 ? 'no setting helps' : knobs.map(knob => `\`${knob}\``).join(', ')
    return `| \`${name}\` | ${when} | ${cure} |`
  })
  return `${HEAD}\n${rows.join('\n')}\n${FOOT}`
}

const HEAD = `# What taut advise looks at

\`taut advise\` measures a service for a while, looks at the machine meanwhile, and asks every rule below. It changes nothing.
This page is made of what the rules say of themselves; what the knobs do is in [knobs.md](knobs.md).

| rule | has a finding when | advises |
|---|---|---|`

const FOOT = `
## The device

Settings of a network device are advised for the one by which the service's requests come: of those that its connections lead
over, the one that received most packets meanwhile, and of a bridge or a VLAN the device below it. What goes to an address of
the machine's own comes by loopback, and receive steering works there and on veth as it does behind a card. A device that
received less than one packet for two requests is none. Devices in another network namespace than taut's are out of
reach: run taut in there.

## The gain

It is what the percentiles would lose at best, as if the stages that a finding is about shrank to the best that was observed
of each: the mean in the faster half of the requests, which the tail table gives, or the least in the exemplars if
there are eight or more, whichever is less; of waking up, also the mean out of the idle state that was left fastest. At p99 it is what the mean of the slowest 1 % would lose; at p50, what the mean of
all requests but the slowest tenth would, since the median of a sum can't be had from its parts, and the mean of the slower half
would be the tail's again. A stage that every request spends long in, such as waking a CPU out of the one state that it
ever sleeps in, was never seen short, so that its gain comes out too small. Of a slow clock the gain is as if all work on CPUs became as much shorter as the clock
could be faster; of a card that waits before it interrupts, it is of what clients see. Each gain in the JSON says in \`how\`
what it rests on. It is an upper bound to order by, and no promise: \`taut tune\` tries.

## The order

The most useful comes first: by the gain at p99 over the cost, which is \`none\`, \`low\`, \`medium\` or \`high\` (\`expense\` in the
JSON): each step counts like half the gain. What no setting can help against comes after what may gain 3 % or more by that count,
which is the least that \`taut tune\` keeps, and before the rest. What has no known gain comes last.
`
