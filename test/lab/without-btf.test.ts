import { testBehindCard } from './behind-card.js'
import { labTest } from './support.js'

labTest('by a BTF file taut says of an older kernel what it says by the BTF of that', t =>
  testBehindCard(t, 'without-btf'),
)
