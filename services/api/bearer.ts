import { createHash, timingSafeEqual } from 'node:crypto'
import type { RequestHandler } from 'express'
import { Refusal } from './refusal.ts'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** True when the header carries the token; compared by digest, so in constant time whatever the length. */
export const carriesToken = (authorization: string | undefined, token: string | undefined): boolean => {
  const sent = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i.exec(authorization ?? '')?.[1]
  return sent !== undefined && token !== undefined && timingSafeEqual(digest(sent), digest(token))
}

/** Lets only requests with the token through. */
export const requireToken =
  (token: () => string | undefined): RequestHandler =>
  (request, _response, next) => {
    if (carriesToken(request.headers.authorization, token())) return next()
    const sent = request.headers.authorization !== undefined
    throw new Refusal(
      'unauthenticated',
      { detail: 'expected Authorization: Bearer with a valid token' },
      { 'www-authenticate': `Bearer realm="xrayiot"${sent ? ', error="invalid_token"' : ''}` },
    )
  }
