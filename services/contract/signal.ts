import type { Point, Recording } from './recording.ts'

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
const radians = (degrees: number): number => (degrees * Math.PI) / 180

/** Great-circle distance in metres by the haversine formula. */
export const distanceMeters = ([, [latA, lonA]]: Point, [, [latB, lonB]]: Point): number => {
  const h =
    Math.sin(radians(latB - latA) / 2) ** 2 +
    Math.cos(radians(latA)) * Math.cos(radians(latB)) * Math.sin(radians(lonB - lonA) / 2) ** 2
  return 2 * EARTH_RADIUS_METERS * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** Summarises a recording of at least one point, in one pass. */
export const toSummary = ({ deviceId, timestamp, data }: Recording): Summary => {
  const first = data[0] as Point
  const bbox: Summary['bbox'] = [180, 90, -180, -90]
  let [maxSpeed, speeds, meters, minOffset, maxOffset] = [0, 0, 0, Number.POSITIVE_INFINITY, 0]
  let previous = first
  for (const point of data) {
    const [offsetMs, [lat, lon, speed]] = point
    maxSpeed = Math.max(maxSpeed, speed)
    speeds += speed / data.length // divided before it is summed: two speeds near the largest double must not overflow
    meters += distanceMeters(previous, point)
    minOffset = Math.min(minOffset, offsetMs)
    maxOffset = Math.max(maxOffset, offsetMs)
    bbox[0] = Math.min(bbox[0], lon)
    bbox[1] = Math.min(bbox[1], lat)
    bbox[2] = Math.max(bbox[2], lon)
    bbox[3] = Math.max(bbox[3], lat)
    previous = point
  }
  return {
    deviceId,
    timestamp,
    dataPoints: data.length,
    dataLength: data.length,
    stats: {
      maxSpeed,
      avgSpeed: Math.min(speeds, maxSpeed),
      distanceMeters: meters,
      durationMs: maxOffset - minOffset,
    },
    bbox,
    start: toGeoPoint(first),
    end: toGeoPoint(previous),
  }
}
