import { expect, it } from 'vitest'
import { deriveDeviceKey } from './device-key.ts'
import { sha256Hex } from './digest.ts'
import { signatureParams, signHttpRequest } from './http-signature.ts'
import { messageIdFor, objectIdHexFor } from './ids.ts'
import { signMessage } from './message-signature.ts'
import { signRequest } from './request-signature.ts'

// The vectors of the contract, section 6. A device in any language must meet the same.
const KEY = Buffer.from(Array.from({ length: 32 }, (_, byte) => byte))
const BODY =
  '{"deviceId":"66bb584d4ae73e488c30a072","timestamp":1735683480000,"data":[[762,[51.339764,12.339223833333334,1.2038000000000002]],[1766,[51.33977733333333,12.339211833333334,1.531604]]]}'
const SHA256 = '5b8c8bbcb2ca1a11a1045757d2d5b8f29d4dd4cca6209bbfd2b7c9a0d1230549'
const DEVICE = '66bb584d4ae73e488c30a072'
const NONCE = '3q2-7wAAAAAAAAAAAAAAAQ'
const MESSAGE_ID = '4e0a6cf16e8ddc7b0b74612b1a36f3ea'
const DIGEST = 'sha-256=:W4yLvLLKGhGhBFdX0tW48p1N1MymIJu/0rfJoNEjBUk=:'

it.each([
  ['the body has 185 bytes', () => Buffer.byteLength(BODY), 185],
  ['the body has this digest', () => sha256Hex(BODY), SHA256],
  [
    'a device signs its request',
    () =>
      signRequest(KEY, {
        method: 'POST',
        path: '/v1/ingest',
        deviceId: DEVICE,
        keyId: 'k1',
        timestampSeconds: 1735683481,
        nonce: NONCE,
        bodySha256Hex: SHA256,
      }).toString('hex'),
    '731145a1050c75b411293294aaaf8af477a17bfa5c87ce302c89cfcbd4863981',
  ],
  ['a message is named', () => messageIdFor(DEVICE, NONCE, SHA256), MESSAGE_ID],
  ['a signal is named', () => objectIdHexFor(1735683480000, MESSAGE_ID), '67746d981f8e018e95dbb982'],
  [
    'a device key is derived',
    () => deriveDeviceKey(Buffer.alloc(32, 7), DEVICE, 'k1').toString('hex'),
    'bcbfcfb47d0e7ce7d6c8b08c55bc2dc0c2ab356174d25612d34f3c28fe582317',
  ],
  [
    'a producer signs a message',
    () =>
      signMessage(KEY, {
        kid: 'p1',
        deviceId: DEVICE,
        messageId: MESSAGE_ID,
        receivedAtMs: 1735683481123,
        contentType: 'application/json',
        sha256Hex: SHA256,
      }),
    'a9bd005f401494e4fb6053233a166556b1614ed910cab7af5e4a2aac766f1c14',
  ],
  [
    'a device signs by RFC 9421',
    () =>
      signHttpRequest(
        KEY,
        { method: 'POST', path: '/v1/ingest', contentDigest: DIGEST, deviceId: DEVICE },
        signatureParams(1735683481, NONCE, 'k1'),
      ).toString('base64'),
    'O9jwwSpLnoVHGxWDX9S1EQI96tpNO4F9yXGSU9igo0M=',
  ],
])('%s', (_, compute, expected) => expect(compute()).toBe(expected))
