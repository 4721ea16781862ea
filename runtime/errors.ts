/**
 * What can go wrong in a page or program that runs a model, as one error type with a code. Everything the runtime
 * throws on purpose is a `NetcError`; anything else is a defect of netc.
 */

export type ErrorCode =
  /** The bytes are no WebAssembly module that this engine takes, or one without the parts a model needs. */
  | 'module'
  /** The module was not made by netc, or its manifest is damaged. */
  | 'manifest'
  /** The module was made for another version of the runtime. */
  | 'abi'
  /** A weights file is damaged or does not fit the model. */
  | 'weights'
  /** A feed that the entry does not have. */
  | 'feed-name'
  /** A feed that the entry needs was not given. */
  | 'feed-missing'
  | 'feed-shape'
  | 'feed-dtype'
  /** Too many rows, none, or not as many as another feed has. */
  | 'feed-rows'
  /** A value that is used as an index points outside. */
  | 'feed-range'
  /** A piece of text that is no token of a vocabulary. */
  | 'token'
  /** A loss became NaN or infinite. */
  | 'non-finite'
  /** A data file is malformed. */
  | 'data'
  /** The call makes no sense: an unknown entry, a model that was never initialised, a wrong option. */
  | 'call'

export type Details = Readonly<Record<string, string | number | boolean | null>>

export class NetcError extends Error {
  override readonly name = 'NetcError'
  readonly code: ErrorCode
  /** The parts of the message as values: `{ feed: 'label', row: 3, value: 12 }`. */
  readonly details: Details

  constructor(code: ErrorCode, message: string, details: Details = {}) {
    super(message)
    this.code = code
    this.details = details
  }
}

export function fail(code: ErrorCode, message: string, details?: Details): never {
  throw new NetcError(code, message, details)
}
