/**
 * What can be shown, and each as SVG, as a part of a page or as pixels: images in a grid, heat maps, points. A PNG holds the
 * pixels alone; titles, labels and scales are in .svg and .html. Pure.
 */
import { encodePng, type Picture } from '../png.ts'
import { type HeatMaps, heatMaps, heatPixels, image } from './heatmap.ts'
import { page } from './page.ts'
import { below, enlarge, type GridOptions, imageGrid, type Tiles } from './raster.ts'
import { type Scatter, scatter } from './scatter.ts'
import { fit, label, type Part, stack, widthOf } from './svg.ts'

export type Figure =
  | {
      readonly kind: 'images'
      readonly title: string
      readonly tiles: Tiles
      readonly options: GridOptions
    }
  | ({ readonly kind: 'heatmap' } & HeatMaps)
  | ({ readonly kind: 'points' } & Scatter)

export function partOf(figure: Figure): Part {
  switch (figure.kind) {
    case 'images': {
      const picture = imageGrid(figure.tiles, figure.options)
      const { width, height } = picture
      const title = label(fit(figure.title, Math.max(width, 800), 16), {
        class: 'title',
        x: 0,
        y: 14,
      })
      const body = `${title}\n${image(picture, 0, 26, 1)}`
      const wide = Math.max(width, Math.min(800, widthOf(figure.title, 16)))
      return { width: wide, height: height + 26, body }
    }
    case 'heatmap':
      return heatMaps(figure)
    case 'points':
      return scatter(figure)
  }
}

/** Undefined for points, which are nothing without their names. */
export function pixelsOf(figure: Figure): Picture | undefined {
  switch (figure.kind) {
    case 'images':
      return imageGrid(figure.tiles, figure.options)
    case 'heatmap': {
      const most = Math.max(figure.rows, figure.columns)
      const scale = Math.max(1, Math.min(16, Math.floor(512 / most)))
      return below(
        figure.maps.map((_, k) => enlarge(heatPixels(figure, k), scale)),
        8,
      )
    }
    case 'points':
      return undefined
  }
}

export type Format = 'png' | 'svg' | 'html'

/** A file of figures one below the other. A PNG leaves out points. */
export function render(
  figures: readonly Figure[],
  format: Format,
  title: string,
  note = '',
): Uint8Array | string {
  switch (format) {
    case 'png':
      return encodePng(below(figures.flatMap((f) => pixelsOf(f) ?? [])))
    case 'svg':
      return stack(title, figures.map(partOf))
    case 'html':
      return page(figures.map(partOf), { title, note })
  }
}
