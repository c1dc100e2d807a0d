import { readFileSync } from 'node:fs'
import test from 'ava'
import { documentKnobs } from '../../src/knobs/document.js'

const FILE = new URL('../../../docs/knobs.md', import.meta.url)

test('docs/knobs.md is what the knobs say of themselves (npm run docs makes it anew)', t => {
  t.is(readFileSync(FILE, 'utf8'), documentKnobs())
})
