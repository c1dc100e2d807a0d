import { readFileSync } from 'node:fs'
import { toJsonSchema } from '@valibot/to-json-schema'
import test from 'ava'
import { profileSchema } from '../../src/profiles/profile.js'

const FILE = new URL('../../../tuning-profiles/profile.schema.json', import.meta.url)

/** What control characters are, and which values a knob takes, is for taut alone to check. */
const published = () => toJsonSchema(profileSchema, { ignoreActions: ['check', 'raw_check', 'safe_integer'] })

test('the published JSON Schema is the one that taut checks by', t => {
  t.deepEqual(JSON.parse(readFileSync(FILE, 'utf8')), JSON.parse(JSON.stringify(published())))
})
