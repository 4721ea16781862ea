/**
 * SVG as text: elements, escaping, the look that all pictures share. Colours follow the reader's light or dark
 * scheme by themselves; the palette is Okabe and Ito's, which colour-blind readers can tell apart.
 */

/** Text and attribute values; control characters, which XML cannot hold, are shown as a box. */
export const escapeXml = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that XML refuses.
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\u25a1')
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')

/** Pixels, to a hundredth. */
export const px = (value: number): string => `${Number(value.toFixed(2))}`

type Attributes = Readonly<Record<string, string | number | undefined>>

/** `<name a="1">…</name>`; numbers are rounded to hundredths. */
export function element(name: string, attributes: Attributes, ...content: string[]): string {
  const text = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? px(value) : escapeXml(value!)}"`)
    .join('')
  return content.length === 0
    ? `<${name}${text}/>`
    : `<${name}${text}>${content.join('')}</${name}>`
}

/** Text at a place; `content` is escaped here. */
export const label = (content: string, attributes: Attributes): string =>
  element('text', attributes, escapeXml(content))

/** Series colours on a light and on a dark ground. */
export const palette: readonly (readonly [light: string, dark: string])[] = [
  ['#0072b2', '#56b4e9'],
  ['#d55e00', '#e69f00'],
  ['#009e73', '#2fd6a3'],
  ['#cc79a7', '#e79ac6'],
  ['#8a6d00', '#f0e442'],
  ['#5b5b5b', '#bdbdbd'],
  ['#7b3fa0', '#b98be0'],
  ['#a31621', '#ff8a80'],
]

const rules = (k: 0 | 1, ink: string, soft: string, rule: string, ground: string): string =>
  [
    `.ground{fill:${ground}}`,
    `text{fill:${ink}}`,
    `.soft{fill:${soft}}`,
    `.rule{stroke:${rule}}`,
    `.axis{stroke:${soft}}`,
    ...palette.map((colours, n) => `.s${n}{stroke:${colours[k]}}.f${n}{fill:${colours[k]}}`),
  ].join('')

/** The style sheet of every picture. */
export const style = `<style>text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}.title{font-size:14px;font-weight:600}.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.faint{stroke-width:1;opacity:.45}.rule,.axis{stroke-width:1;shape-rendering:crispEdges}.end{text-anchor:end}.middle{text-anchor:middle}${rules(0, '#1b1b1f', '#62626b', '#e4e4e9', '#ffffff')}@media(prefers-color-scheme:dark){${rules(1, '#ececf1', '#a3a3ad', '#34343b', '#17171b')}}</style>`

/** A whole SVG document of a size in pixels, on its own ground. */
export function svgDocument(width: number, height: number, title: string, body: string): string {
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${px(width)} ${px(height)}`,
      role: 'img',
    },
    element('title', {}, escapeXml(title)),
    style,
    element('rect', { class: 'ground', width, height }),
    body,
  )
}

/** Pictures one below the other as one document. */
export function stack(title: string, parts: readonly Part[], gap = 24): string {
  const margin = 16
  const width = Math.max(...parts.map((p) => p.width)) + 2 * margin
  let y = margin
  const placed = parts.map((part) => {
    const at = `translate(${margin} ${px(y)})`
    y += part.height + gap
    return element('g', { transform: at }, part.body)
  })
  return svgDocument(width, y - gap + margin, title, placed.join('\n'))
}

/** The inside of a picture, without the document around it. */
export interface Part {
  readonly width: number
  readonly height: number
  readonly body: string
}

/** Roughly how wide a text is in the style's font of 12 pixels. */
export function widthOf(text: string, size = 12): number {
  let width = 0
  for (const c of text)
    width += /[ijlt.,:;'|!()\s[\]]/.test(c) ? 0.34 : /[mwMW@—…]/.test(c) ? 0.9 : 0.6
  return width * size
}

/** The text, cut with … where it is wider than `width` pixels. */
export function fit(text: string, width: number, size = 12): string {
  if (widthOf(text, size) <= width) return text
  const chars = [...text]
  while (chars.length > 1 && widthOf(`${chars.join('')}…`, size) > width) chars.pop()
  return `${chars.join('')}…`
}
