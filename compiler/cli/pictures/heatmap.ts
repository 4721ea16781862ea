/**
 * Matrices as heat maps: a cell for each value, labels along both sides, a scale of colours below. Several of one size,
 * such as the heads of an attention, stand side by side. Pure.
 */
import { encodePng, type Picture } from '../png.ts'
import { colourAt, type Look, type Range, within } from './colour.ts'
import { enlarge } from './raster.ts'
import { element, fit, label, type Part, widthOf } from './svg.ts'
import { figure } from './text.ts'

export interface HeatMaps {
  readonly title: string
  readonly rows: number
  readonly columns: number
  readonly maps: readonly {
    /** Above the map: `head 2`. */
    readonly name: string
    readonly values: ArrayLike<number>
  }[]
  readonly look: Look
  /** One for all maps, so that they can be compared. */
  readonly range: Range
  readonly rowLabels?: readonly string[] | undefined
  readonly columnLabels?: readonly string[] | undefined
  /** What the rows and columns are: `query`, `key`. */
  readonly axes?: readonly [rows: string, columns: string] | undefined
}

/** The width to fill: that of a page. */
const most = 860

/** The pixels of one map, a pixel a value. */
export function heatPixels(maps: HeatMaps, k: number): Picture {
  const { rows: height, columns: width, look, range } = maps
  const { values } = maps.maps[k]!
  const data = new Uint8Array(width * height * 3)
  for (let at = 0; at < width * height; at++) {
    data.set(colourAt(look, within(range, values[at]!)), 3 * at)
  }
  return { width, height, channels: 3, data }
}

export function heatMaps(maps: HeatMaps): Part {
  const { rows, columns, rowLabels, columnLabels } = maps
  const side = rowLabels ? Math.min(110, Math.max(...rowLabels.map((t) => widthOf(t, 11))) + 8) : 0
  // Single characters stand upright, anything longer runs upwards.
  const isUpright = columnLabels?.every((text) => [...text].length < 2) === true
  const longest = Math.max(0, ...(columnLabels ?? []).map((text) => widthOf(text, 11)))
  const head = isUpright ? 15 : Math.min(90, longest + 6)
  const largest = maps.maps.length === 1 ? 28 : 18
  const cellOf = (across: number): number => {
    const room = most / across - side - 16
    return Math.max(1, Math.min(largest, Math.floor(room / columns), Math.floor(900 / rows)))
  }
  // As many beside each other as leave cells large enough to be named, or at least seen.
  const enough = Math.min(rowLabels || columnLabels ? 11 : 4, cellOf(1))
  let across = Math.min(maps.maps.length, 8)
  while (across > 1 && cellOf(across) < enough) across--
  const square = cellOf(across)
  // Narrow ones are drawn wider than high, and a few long lines higher than wide, to be seen and named.
  const cell = columns <= 40 && rows >= 3 * columns && square < 14 ? 14 : square
  const line = rows <= 40 && columns >= 3 * rows && square < 14 ? 14 : square
  // Names that would not fit beside each other are left out.
  const hasRowLabels = rowLabels !== undefined && line >= 10
  const hasColumnLabels = columnLabels !== undefined && cell >= 10
  const left = hasRowLabels ? side : 0
  const isNamed = maps.maps.length > 1
  const top = (isNamed ? 18 : 0) + (hasColumnLabels ? head : 0)
  const wide = left + columns * cell + 20
  const high = top + rows * line + 20
  const parts = [label(fit(maps.title, most, 16), { class: 'title', x: 0, y: 14 })]
  maps.maps.forEach(({ name }, k) => {
    const x = (k % across) * wide
    const y = 26 + Math.floor(k / across) * high
    if (isNamed) {
      parts.push(label(fit(name, columns * cell), { class: 'soft', x: x + left, y: y + 12 }))
    }
    if (hasColumnLabels) {
      columnLabels.slice(0, columns).forEach((text, c) => {
        const [tx, ty] = [x + left + (c + 0.5) * cell, y + top - 4]
        const turn = isUpright
          ? { class: 'middle', x: tx, y: ty }
          : { x: tx + 4, y: ty, transform: `rotate(-90 ${tx + 4} ${ty})` }
        parts.push(label(fit(text, 84, 11), { ...turn, 'font-size': '11' }))
      })
    }
    if (hasRowLabels) {
      rowLabels.slice(0, rows).forEach((text, r) => {
        const at = { class: 'end', x: x + left - 5, y: y + top + (r + 0.5) * line + 4 }
        parts.push(label(fit(text, 104, 11), { ...at, 'font-size': '11' }))
      })
    }
    parts.push(image(heatPixels(maps, k), x + left, y + top, cell, line))
  })
  const bottom = 26 + Math.ceil(maps.maps.length / across) * high
  parts.push(scaleBar(maps, bottom))
  const width = Math.max(across * wide - 20, 360, Math.min(most, widthOf(maps.title, 16)))
  return { width, height: bottom + 30, body: parts.join('\n') }
}

/** A picture inside an SVG, each pixel `cell` by `line`: sharp in every viewer, for the pixels are really there. */
export function image(picture: Picture, x: number, y: number, cell: number, line = cell): string {
  const isSmall = picture.width * picture.height * cell * line < 4e6
  const pixels = isSmall ? enlarge(picture, cell, line) : picture
  const bytes = encodePng(pixels)
  let text = ''
  for (let k = 0; k < bytes.length; k += 8192) {
    text += String.fromCharCode(...bytes.subarray(k, k + 8192))
  }
  return element('image', {
    x,
    y,
    width: picture.width * cell,
    height: picture.height * line,
    preserveAspectRatio: 'none',
    style: 'image-rendering:pixelated',
    href: `data:image/png;base64,${btoa(text)}`,
  })
}

function scaleBar({ look, range, axes }: HeatMaps, y: number): string {
  const data = new Uint8Array(128 * 3)
  for (let k = 0; k < 128; k++) data.set(colourAt(look, k / 127), 3 * k)
  const low = figure(range.low)
  const from = widthOf(low) + 6
  const parts = [
    label(low, { class: 'soft', x: 0, y: y + 10 }),
    image({ width: 128, height: 1, channels: 3, data }, from, y, 1, 10),
    label(figure(range.high), { class: 'soft', x: from + 134, y: y + 10 }),
  ]
  if (axes) {
    parts.push(
      label(`rows: ${axes[0]}, columns: ${axes[1]}`, { class: 'soft', x: from + 200, y: y + 10 }),
    )
  }
  return parts.join('')
}
