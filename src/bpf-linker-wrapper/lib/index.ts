export { type BuildOptions, type BuildResult, buildObject } from './build.js'
export { BuildError, CompileError } from './error.js'
export { generateTypes } from './generate/index.js'
export type { Target } from './target.js'
