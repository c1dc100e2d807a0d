import * as v from 'valibot'
import { KNOBS } from '../knobs/all.js'
import { CPU_PATTERN } from '../knobs/cpu-values.js'
import { InvalidValue, isSelectedBy, SELECTOR_NAMES } from '../knobs/knob.js'
import { KNOB_NAMES } from '../knobs/names.js'
import { printable } from '../text/printable.js'

const line = (max: number) =>
  v.pipe(
    v.string(),
    v.minLength(1),
    v.maxLength(max),
    v.check(text => text === printable(text), 'Invalid text: it has control characters or line breaks'),
  )

const fields = v.strictObject({
  knob: v.pipe(v.picklist(KNOB_NAMES), v.description('what is set; see docs/knobs.md')),
  value: v.pipe(
    v.union([line(200), v.pipe(v.number(), v.safeInteger()), v.boolean()]),
    v.description('what it becomes, as docs/knobs.md says for each knob'),
  ),
  why: v.pipe(line(500), v.description('what it is good for here, and what it costs')),
  nic: v.optional(
    v.pipe(line(15), v.description('the network device: busiest (the default), all, or a name')),
  ),
  cpus: v.optional(
    v.pipe(
      v.union([
        v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8191)),
        v.pipe(line(200), v.regex(CPU_PATTERN, 'Invalid CPUs: expected 0-2,5, all, first, irq or not-irq')),
      ]),
      v.description('the CPUs that a cpu.* knob is for, as 0-2, or not-irq; all by default'),
    ),
  ),
  service: v.optional(
    v.pipe(
      v.union([v.literal('busiest'), v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))]),
      v.description('the service: its port, or busiest'),
    ),
  ),
})

type Fields = v.InferOutput<typeof fields>

/** Gives why no machine takes the value for this knob, null if one may. */
const explainValue = ({ knob, value }: Fields): string | null => {
  try {
    KNOBS[knob].check(String(value))
    return null
  } catch (error) {
    if (error instanceof InvalidValue) return error.message
    throw error
  }
}

const settingSchema = v.pipe(
  fields,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const setting = dataset.value
    const refuse = (key: keyof Fields, message: string): void =>
      addIssue({
        message,
        path: [{ type: 'object', origin: 'value', input: setting, key, value: setting[key] }],
      })
    const fault = explainValue(setting)
    if (fault !== null) refuse('value', fault)
    const words = [String(setting.value), setting.cpus?.toString()]
    for (const name of SELECTOR_NAMES) {
      if (setting[name] !== undefined && !isSelectedBy(KNOBS[setting.knob], name, words))
        refuse(name, `${setting.knob} has no use for it (try without it)`)
    }
  }),
)

const whole = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(8192))

const whenSchema = v.strictObject({
  cpus: v.optional(v.strictObject({ min: v.optional(whole), max: v.optional(whole) })),
  virtual: v.optional(v.pipe(v.boolean(), v.description('a virtual machine, or none'))),
  board: v.optional(
    v.pipe(
      v.union([line(100), v.pipe(v.array(line(100)), v.minLength(1))]),
      v.description("a part of the model's name, in the device tree or the DMI; or several, of which one is"),
    ),
  ),
  architecture: v.optional(v.pipe(v.array(line(20)), v.description('as uname -m has it'))),
  driver: v.optional(v.pipe(v.array(line(40)), v.description("one of them is a network card's driver"))),
})

/** The schema of a profile's file. */
export const profileSchema = v.strictObject({
  version: v.literal(1),
  name: v.pipe(
    v.string(),
    v.regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
    v.description('lower case letters, digits and hyphens; the same as the name of the file'),
  ),
  about: v.pipe(line(500), v.description('for whom it is, in a sentence')),
  when: v.optional(v.pipe(whenSchema, v.description('what the machine must have'))),
  settings: v.pipe(v.array(settingSchema), v.minLength(1), v.maxLength(100)),
})

/** Settings that go together, each with a reason. */
export type Profile = v.InferOutput<typeof profileSchema>
/** One knob of a profile, and what it becomes. */
export type Setting = v.InferOutput<typeof settingSchema>
/** What a machine must have for a profile. */
export type When = v.InferOutput<typeof whenSchema>
