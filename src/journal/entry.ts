import * as v from 'valibot'
import { isValueOf, placeSchema } from '../knobs/places/place.js'
import { printable } from '../text/printable.js'

const isPrintable = (text: string): boolean => text === printable(text)
const line = (max: number) => v.pipe(v.string(), v.maxLength(max), v.check(isPrintable, 'control characters'))
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** The schema of a change of one place, as the journal keeps it. */
export const entrySchema = v.pipe(
  v.strictObject({
    /** The run of taut that made it, for `taut revert ID`. */
    id: v.pipe(whole, v.minValue(1)),
    knob: line(64),
    place: placeSchema,
    /** The network namespace that the place is in, by its inode; null where there is but one such place. */
    netns: v.nullable(whole),
    /** The index of the network device that the place is of: another may get its name, and it another name. */
    ifindex: v.optional(whole),
    from: v.string(),
    to: v.string(),
    why: line(2000),
    profile: v.nullable(line(64)),
    at: v.pipe(v.string(), v.isoTimestamp()),
    /** The boot that it was made in: the kernel forgets settings when it ends. */
    boot: v.pipe(v.string(), v.uuid()),
    /** When that was, in clock ticks of the boot, as processes have the time they began. */
    ticks: v.optional(whole),
    /** Whether it stays when taut ends. Until then it is a trial, or part of a profile that is not in force as a whole. */
    kept: v.boolean(),
    /** From `written` on, `to` is what the kernel made of the value: anything else is someone else's. */
    state: v.picklist(['planned', 'written', 'verified', 'no-effect']),
  }),
  v.check(({ place, from, to }) => isValueOf(place, from) && isValueOf(place, to), 'no value of that place'),
)

/** A change of one place: what it held, what taut wrote, and why. */
export type Entry = v.InferOutput<typeof entrySchema>
