import { POINT_WIDTH, type Point, type Recording } from './recording.ts'

/** GeoJSON (RFC 7946): longitude first. */
export type GeoPoint = { type: 'Point'; coordinates: [lon: number, lat: number] }

export type Stats = {
  /** In the unit the device sends. */
  maxSpeed: number
  avgSpeed: number
  /** Along the points in recorded order. */
  distanceMeters: number
  /** From the smallest to the largest offset; offsets of real devices are not monotonic. */
  durationMs: number
}

/** What the store keeps of a recording beside its raw bytes. */
export type Summary = {
  deviceId: string
  timestamp: number
  /** Points in the recording; the seed's name. */
  dataPoints: number
  /** The same count by the predecessor's name. */
  dataLength: number
  stats: Stats
  /** [minLon, minLat, maxLon, maxLat], RFC 7946 section 5. */
  bbox: [number, number, number, number]
  start: GeoPoint
  end: GeoPoint
}

/** Wire points are [lat, lon]; GeoJSON and MongoDB want [lon, lat]. The only place where the order turns. */
export const toGeoPoint = ([, [lat, lon]]: Point): GeoPoint => ({ type: 'Point', coordinates: [lon, lat] })

/** Mean radius of the earth, IUGG. */
const EARTH_RADIUS_METERS = 6_371_008.8
const RADIANS_PER_DEGREE = Math.PI / 180

/**
 * Half of the angle between two places as seen from the centre of the earth, in radians, by the haversine formula.
 * The cosines of both latitudes come in, because each is needed on the way to a place and on the way from it.
 */
const halfAngle = (latA: number, lonA: number, cosA: number, latB: number, lonB: number, cosB: number): number => {
  const north = Math.sin((latB - latA) * (RADIANS_PER_DEGREE / 2))
  const east = Math.sin((lonB - lonA) * (RADIANS_PER_DEGREE / 2))
  return Math.asin(Math.min(1, Math.sqrt(north * north + cosA * cosB * east * east)))
}

const pointAt = (points: Float64Array, index: number): Point => [
  points[index] as number,
  [points[index + 1] as number, points[index + 2] as number, points[index + 3] as number],
]

/**
 * Summarises a recording whose points stand in one array, in one pass.
 * @param points POINT_WIDTH numbers for each point
 * @param count how many points there are, at least one
 */
export const summarise = (deviceId: string, timestamp: number, points: Float64Array, count: number): Summary => {
  const end = count * POINT_WIDTH
  let [west, south, east, north] = [180, 90, -180, -90]
  let [maxSpeed, avgSpeed, angle, minOffset, maxOffset] = [0, 0, 0, Number.POSITIVE_INFINITY, 0]
  let latBefore = points[1] as number
  let lonBefore = points[2] as number
  let cosBefore = Math.cos(latBefore * RADIANS_PER_DEGREE)
  for (let index = 0; index < end; index += POINT_WIDTH) {
    const offsetMs = points[index] as number
    const lat = points[index + 1] as number
    const lon = points[index + 2] as number
    const speed = points[index + 3] as number
    const cos = Math.cos(lat * RADIANS_PER_DEGREE)
    angle += halfAngle(latBefore, lonBefore, cosBefore, lat, lon, cos)
    maxSpeed = Math.max(maxSpeed, speed)
    avgSpeed += speed / count // divided before it is summed: two speeds near the largest double must not overflow
    minOffset = Math.min(minOffset, offsetMs)
    maxOffset = Math.max(maxOffset, offsetMs)
    west = Math.min(west, lon)
    south = Math.min(south, lat)
    east = Math.max(east, lon)
    north = Math.max(north, lat)
    latBefore = lat
    lonBefore = lon
    cosBefore = cos
  }
  return {
    deviceId,
    timestamp,
    dataPoints: count,
    dataLength: count,
    stats: {
      maxSpeed,
      avgSpeed: Math.min(avgSpeed, maxSpeed),
      distanceMeters: 2 * EARTH_RADIUS_METERS * angle,
      durationMs: maxOffset - minOffset,
    },
    bbox: [west, south, east, north],
    start: toGeoPoint(pointAt(points, 0)),
    end: toGeoPoint(pointAt(points, end - POINT_WIDTH)),
  }
}

/** Summarises a recording of at least one point. */
export const toSummary = ({ deviceId, timestamp, data }: Recording): Summary => {
  const points = new Float64Array(data.length * POINT_WIDTH)
  data.forEach(([offsetMs, position], index) => {
    points.set([offsetMs, ...position], index * POINT_WIDTH)
  })
  return summarise(deviceId, timestamp, points, data.length)
}
