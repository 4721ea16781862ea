/**
 * The models of models/, small enough for the quick suite. Per file: dims that replace its own, and how many steps its loss
 * has to fall in. Inputs are random; that a model reaches its figure on real data is `npm run models`.
 */
export interface Small {
  readonly dims: Readonly<Record<string, number>>
  /** Steps on one batch; 30 when left out. */
  readonly steps?: number
  /** Values of hyper-parameters, for models whose schedule starts slowly. */
  readonly set?: Readonly<Record<string, number>>
  /** Elements of each parameter whose gradient is compared; 3 when left out. */
  readonly samples?: number
  /** Train blocks whose loss need not fall: of two networks that play against each other. */
  readonly adversarial?: readonly string[]
}

export const small: Readonly<Record<string, Small>> = {
  cnn: { dims: { batch: 2, side: 8, width: 4 } },
  fashion: { dims: { batch: 2, side: 8, width: 4 } },
  iris: { dims: { batch: 5 } },
  mnist: { dims: { batch: 2, hidden: 6 } },
  regression: { dims: { batch: 9 } },
  xor: { dims: { batch: 4 } },
}
