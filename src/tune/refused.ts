/** A setting that could not be made: the kernel, or what it is made by, refused it. */
export class SettingRefused extends Error {
  override name = 'SettingRefused'
}

/** A place holds what neither taut nor the beginning has put there: somebody else is at work, and what is set stays theirs. */
export class InterferenceError extends Error {
  override name = 'InterferenceError'
}
