import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Point } from './recording.ts'
import { toGeoPoint, toSummary } from './signal.ts'

const point: fc.Arbitrary<Point> = fc.tuple(
  fc.nat(),
  fc.tuple(
    fc.double({ min: -90, max: 90, noNaN: true }),
    fc.double({ min: -180, max: 180, noNaN: true }),
    fc.double({ min: 0, max: Number.MAX_VALUE, noNaN: true }),
  ),
)
const recording = (data: Point[]) => ({ deviceId: '66bb584d4ae73e488c30a072', timestamp: 1735683480000, data })

it('longitude comes first in GeoJSON and last on the wire', () =>
  fc.assert(fc.property(point, (p) => void expect(toGeoPoint(p).coordinates).toEqual([p[1][1], p[1][0]]))))

it('the distance of one degree of latitude is a 360th of the meridian', () =>
  expect(
    toSummary(
      recording([
        [0, [51, 12, 0]],
        [0, [52, 12, 0]],
      ]),
    ).stats.distanceMeters,
  ).toBeCloseTo((2 * Math.PI * 6_371_008.8) / 360, 3))

/** The haversine formula as it stands in books, without what the summary saves. */
const haversine = ([, [latA, lonA]]: Point, [, [latB, lonB]]: Point): number => {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180
  const h =
    Math.sin(radians(latB - latA) / 2) ** 2 +
    Math.cos(radians(latA)) * Math.cos(radians(latB)) * Math.sin(radians(lonB - lonA) / 2) ** 2
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(h)))
}
const inTown = point.map(
  ([offsetMs, [lat, lon, speed]]): Point => [offsetMs, [51 + lat / 9000, 12 + lon / 9000, speed]],
)

describe('the summary', () => {
  it.each([
    ['around the world', point],
    ['across a town', inTown],
  ])("adds up the haversine's distances between points %s", (_, places) =>
    fc.assert(
      fc.property(fc.array(places, { minLength: 2, maxLength: 10 }), (data) => {
        const meters = data.slice(1).reduce((sum, to, index) => sum + haversine(data[index] as Point, to), 0)
        const { distanceMeters } = toSummary(recording(data)).stats
        // Close to the other side of the earth, the arc sine turns the last bits of its argument into centimetres.
        expect(Math.abs(distanceMeters - meters)).toBeLessThanOrEqual(1e-7 * meters + 1e-6)
      }),
    ),
  )

  it('of the seed example', () => {
    const data: Point[] = [
      [762, [51.339764, 12.339223833333334, 1.2038]],
      [1766, [51.33977733333333, 12.339211833333334, 1.531604]],
    ]
    const { stats, bbox, start, end, dataPoints, dataLength } = toSummary(recording(data))
    expect({ dataPoints, dataLength }).toEqual({ dataPoints: 2, dataLength: 2 })
    expect(stats.maxSpeed).toBe(1.531604)
    expect(stats.avgSpeed).toBeCloseTo(1.367702, 9)
    expect(stats.durationMs).toBe(1004)
    expect(stats.distanceMeters).toBeCloseTo(1.701, 2)
    expect(bbox).toEqual([12.339211833333334, 51.339764, 12.339223833333334, 51.33977733333333])
    expect([start.coordinates, end.coordinates]).toEqual([
      [12.339223833333334, 51.339764],
      [12.339211833333334, 51.33977733333333],
    ])
  })

  it('has finite figures and a box around every point, whatever the recording', () =>
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 50 }), (data) => {
        const { stats, bbox, start, end } = toSummary(recording(data))
        expect(Object.values(stats).every(Number.isFinite)).toBe(true)
        expect([start, end]).toEqual([toGeoPoint(data[0] as Point), toGeoPoint(data.at(-1) as Point)])
        for (const [, [lat, lon]] of data)
          expect(lon >= bbox[0] && lat >= bbox[1] && lon <= bbox[2] && lat <= bbox[3]).toBe(true)
      }),
    ))
})
