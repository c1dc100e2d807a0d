import test from 'ava'
import { parseDepfile } from '../lib/depfile.js'

const cases: [string, string, string[]][] = [
  ['one line', 'a.o: a.c b.h\n', ['a.c', 'b.h']],
  ['lines that go on', 'a.o: a.c \\\n  b.h \\\r\n  c.h\n', ['a.c', 'b.h', 'c.h']],
  [
    'a space, a hash and a dollar in names',
    'a.o: my\\ file.c \\#x.h a$$b.h\n',
    ['my file.c', '#x.h', 'a$b.h'],
  ],
  ['a colon in a name', 'a:b.o: a:b.c\n', ['a:b.c']],
  ['nothing', '', []],
  ['no rule', 'a b c\n', []],
]

for (const [title, text, expected] of cases) {
  test(`the files of a rule: ${title}`, t => {
    t.deepEqual(parseDepfile(text), expected)
  })
}
