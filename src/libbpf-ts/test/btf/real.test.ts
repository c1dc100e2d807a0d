import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import test from 'ava'
import { Btf, type BtfType, decode, encode, extractBtf } from '../../lib/btf/index.js'
import { compile, hasCommand } from './helpers/compile.js'

const run = promisify(execFile)
const kernelBtf = '/sys/kernel/btf/vmlinux'
const withKernel = existsSync(kernelBtf) ? test : test.skip
const whyNoKernel = existsSync(kernelBtf) ? '' : ` (skipped: no ${kernelBtf})`
const hasBpftool = await hasCommand('bpftool')
const withBpftool = existsSync(kernelBtf) && hasBpftool ? test : test.skip
const whyNoBpftool = hasBpftool ? whyNoKernel : ' (skipped: no bpftool)'
const hasClang = await hasCommand('clang')
const withClang = hasClang ? test : test.skip
const whyNoClang = hasClang ? '' : ' (skipped: no clang)'

/** Gives the part of a type that bpftool prints in the same words. */
const summarize = (type: BtfType): string => {
  const name = type.name === '' ? '(anon)' : type.name
  const head = `[${type.id}] ${type.kind.toUpperCase()} '${name}'`
  switch (type.kind) {
    case 'struct':
    case 'union':
      return `${head} size=${type.size} vlen=${type.members.length}`
    case 'ptr':
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'func':
      return `${head} type_id=${type.type}`
    case 'array':
      return `${head} type_id=${type.type} index_type_id=${type.indexType} nr_elems=${type.count}`
    case 'int':
      return `${head} size=${type.size} bits_offset=${type.bitOffset} nr_bits=${type.bits}`
    default:
      return head
  }
}

withBpftool(`every type of the kernel reads as bpftool reads it${whyNoBpftool}`, async t => {
  const btf = Btf.parse(await readFile(kernelBtf))
  const { stdout } = await run('bpftool', ['btf', 'dump', 'file', kernelBtf], { maxBuffer: 2 ** 30 })
  const lines = stdout.split('\n')
  const heads = lines.filter(line => line.startsWith('['))
  t.is(heads.length, btf.typeCount - 1)
  let id = 1
  const differing = heads.filter(line => !line.startsWith(summarize(btf.type(id++))))
  t.deepEqual(differing, [])

  const task = btf.findByName('struct', 'task_struct')
  const start = lines.findIndex(line => line.startsWith(`[${task?.id}] `))
  const members = lines.slice(start + 1, start + 1 + (task?.members.length ?? 0))
  t.true((task?.members.length ?? 0) > 100)
  for (const [index, line] of members.entries()) {
    const member = task?.members[index]
    const name = member?.name === '' ? '(anon)' : member?.name
    const bits = member?.bits ? ` bitfield_size=${member.bits}` : ''
    t.is(line, `\t'${name}' type_id=${member?.type} bits_offset=${member?.bitOffset}${bits}`)
  }
})

withKernel(`every struct of the kernel can be decoded and encoded${whyNoKernel}`, async t => {
  const btf = Btf.parse(await readFile(kernelBtf))
  const composites = [...btf.types()].filter(type => type.kind === 'struct' || type.kind === 'union')
  t.true(composites.length > 1000)
  for (const { id, size } of composites) {
    const bytes = new Uint8Array(size)
    encode(btf, id, decode(btf, id, new Uint8Array(size)), bytes)
    if (!bytes.every(byte => byte === 0)) {
      t.fail(`type ${id}: zeros came back as something else`)
    }
  }
})

const source = `
struct bits { unsigned a : 3; unsigned b : 11; int c : 5; unsigned long long d : 40; unsigned char e; };
enum color { RED = 1, BLUE = 7 };
struct all {
	struct bits bits;
	unsigned short port;
	long long far;
	char comm[8];
	signed char raw[3];
	_Bool on;
	enum color color;
	union { unsigned int word; unsigned char octets[4]; };
};
struct all value __attribute__((section("facts"))) = {
	.bits = { .a = 5, .b = 1027, .c = -7, .d = 0x89abcdef01ULL, .e = 200 },
	.port = 11211, .far = -2, .comm = "taut", .raw = { -1, 0, 1 }, .on = 1, .color = BLUE,
	.word = 0x01020304,
};
`

/** Gives the content of a section of a 64-bit object, straight from its section table. */
const contentOf = (elf: Uint8Array, name: string, littleEndian: boolean): Uint8Array => {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength)
  const table = Number(view.getBigUint64(0x28, littleEndian))
  const at = (index: number) => table + index * 64
  const offsetOf = (index: number) => Number(view.getBigUint64(at(index) + 0x18, littleEndian))
  const names = offsetOf(view.getUint16(0x3e, littleEndian))
  for (let index = 0; index < view.getUint16(0x3c, littleEndian); index++) {
    const start = names + view.getUint32(at(index), littleEndian)
    if (Buffer.from(elf.subarray(start, start + name.length + 1)).toString() === `${name}\0`) {
      const size = Number(view.getBigUint64(at(index) + 0x20, littleEndian))
      return elf.subarray(offsetOf(index), offsetOf(index) + size)
    }
  }

  throw new Error(`no section ${name}`)
}

for (const target of ['bpfel', 'bpfeb'] as const) {
  withClang(
    `the bytes that clang lays down for ${target} decode to what the source says${whyNoClang}`,
    async t => {
      const elf = await compile(source, target)
      const btf = Btf.parse(extractBtf(elf))
      t.is(btf.littleEndian, target === 'bpfel')
      const id = btf.findByName('struct', 'all')?.id ?? -1
      const content = contentOf(elf, 'facts', target === 'bpfel')
      const octets = target === 'bpfel' ? [4, 3, 2, 1] : [1, 2, 3, 4]
      const expected = {
        bits: { a: 5, b: 1027, c: -7, d: 0x89abcdef01n, e: 200 },
        port: 11211,
        far: -2n,
        comm: 'taut',
        raw: [-1, 0, 1],
        on: true,
        color: 7,
        word: 0x01020304,
        octets,
      }
      t.deepEqual(decode(btf, id, content), expected)
      const bytes = new Uint8Array(content.length)
      encode(btf, id, expected, bytes)
      t.deepEqual([...bytes], [...content])
    },
  )
}
