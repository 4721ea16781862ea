/**
 * One HTML file with everything in it: pictures as inline SVG and, for line charts, the values under the pointer. It asks
 * no network for anything and follows the reader's light or dark scheme.
 */
import { colourOf, type Plot } from './line-chart.ts'
import { escapeXml, type Part, style, svgDocument } from './svg.ts'

export interface PageOptions {
  readonly title: string
  /** A line below the title. */
  readonly note?: string
  /** The page loads itself again after so many seconds: while the training goes on. */
  readonly refresh?: number
}

const isPlot = (part: Part | Plot): part is Plot => 'chart' in part

/** Plain data into a script element: nothing in it can end the element. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c')

export function page(parts: readonly (Part | Plot)[], options: PageOptions): string {
  const { title, note, refresh } = options
  const figures = parts.map((part, k) => {
    const name = isPlot(part) ? part.chart.title : title
    const svg = svgDocument(part.width, part.height, name, part.body).replace(style, '')
    return `<figure${isPlot(part) ? ` data-plot="${k}"` : ''}>${svg}<div class="tip" hidden></div></figure>`
  })
  const plots = Object.fromEntries(
    parts.flatMap((part, k) => (isPlot(part) ? [[k, hoverData(part)]] : [])),
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">${
    refresh ? `\n<meta http-equiv="refresh" content="${refresh}">` : ''
  }
<title>${escapeXml(title)}</title>
${style}
<style>
:root { color-scheme: light dark }
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; font: 15px/1.5 system-ui, sans-serif; background: light-dark(#fff, #17171b); color: light-dark(#1b1b1f, #ececf1) }
h1 { font-size: 1.3rem; margin: 0 }
p { margin: .2rem 0 0; color: light-dark(#62626b, #a3a3ad) }
figure { position: relative; margin: 1.5rem 0 }
figure svg { max-width: 100%; height: auto; display: block }
.tip { position: absolute; pointer-events: none; padding: .3rem .6rem; border-radius: .4rem; font-size: 13px; white-space: pre; font-variant-numeric: tabular-nums; background: light-dark(#1b1b1f, #ececf1); color: light-dark(#fff, #17171b) }
</style>
<h1>${escapeXml(title)}</h1>${note ? `\n<p>${escapeXml(note)}</p>` : ''}
${figures.join('\n')}
<script>
const plots = ${scriptJson(plots)}
${script}</script>
</html>
`
}

/** Scales and points of a plot, as the script below reads them. */
function hoverData(plot: Plot) {
  const { left, right, top, bottom, xScale, yScale, chart } = plot
  const axis = ({ isLog, least, most }: Plot['xScale']) => ({ isLog, least, most })
  const digits = (value: number) => Number(value.toPrecision(6))
  return {
    left,
    right,
    top,
    bottom,
    x: axis(xScale),
    y: axis(yScale),
    unit: chart.x,
    series: chart.series.map((series, k) => ({
      name: series.name,
      colour: colourOf(series, k),
      points: series.points
        .filter((p) => Number.isFinite(p.y))
        .map((p) => [digits(p.x), digits(p.y)]),
    })),
  }
}

/** A line at the nearest point of the curve under the pointer, and every curve's value there. */
const script = `const svgNs = 'http://www.w3.org/2000/svg'
const at = (axis, v) => axis.isLog
  ? Math.log(v / axis.least) / Math.log(axis.most / axis.least)
  : (v - axis.least) / (axis.most - axis.least)
for (const figure of document.querySelectorAll('[data-plot]')) {
  const plot = plots[figure.dataset.plot]
  const svg = figure.querySelector('svg')
  const tip = figure.querySelector('.tip')
  const marks = svg.appendChild(document.createElementNS(svgNs, 'g'))
  const X = x => plot.left + at(plot.x, x) * (plot.right - plot.left)
  const Y = y => plot.bottom - at(plot.y, y) * (plot.bottom - plot.top)
  const hide = () => { tip.hidden = true; marks.replaceChildren() }
  const show = event => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse())
    const near = points => points.reduce((a, b) => Math.abs(X(b[0]) - place.x) < Math.abs(X(a[0]) - place.x) ? b : a)
    const found = plot.series.filter(s => s.points.length > 0).map(s => ({ ...s, point: near(s.points) }))
    if (found.length === 0) return
    const x = near(found.map(f => f.point))[0]
    marks.replaceChildren()
    const draw = (name, attributes) => {
      const made = marks.appendChild(document.createElementNS(svgNs, name))
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
    }
    draw('line', { class: 'axis', x1: X(x), x2: X(x), y1: plot.top, y2: plot.bottom })
    for (const f of found) {
      const y = Y(f.point[1])
      if (Number.isFinite(y)) draw('circle', { class: 'f' + f.colour, cx: X(f.point[0]), cy: y, r: 4 })
    }
    tip.textContent = [plot.unit + ' ' + Number(x.toFixed(3)), ...found.map(f => f.name + '  ' + f.point[1])].join('\\n')
    tip.hidden = false
    const box = figure.getBoundingClientRect()
    const left = event.clientX - box.left
    tip.style.left = (left > box.width / 2 ? left - tip.offsetWidth - 16 : left + 16) + 'px'
    tip.style.top = Math.max(0, event.clientY - box.top - tip.offsetHeight / 2) + 'px'
  }
  svg.addEventListener('pointermove', show)
  svg.addEventListener('pointerleave', hide)
}
`
