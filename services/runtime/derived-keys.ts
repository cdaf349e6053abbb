import { deriveDeviceKey } from '#contract/device-key.ts'

/** The keys of devices, derived when they are needed first and then remembered. */
export type DerivedKeys = {
  /**
   * Lets `verifies` judge with the key that a device has by this master key.
   * A refusal takes one derivation and one judgement, whether the master key is known, the device was seen before or
   * neither, so its time tells a stranger nothing. Only a key that verified is remembered: nobody can push out the keys
   * of real devices with names that are made up.
   * @param master the master key with this id, or undefined when there is none
   * @param verifies true when a signature is that of the key it is given; called exactly once
   * @returns true when it verified with the key of a master key that is there
   */
  verify: (
    master: Buffer | undefined,
    deviceId: string,
    keyId: string,
    verifies: (deviceKey: Buffer) => boolean,
  ) => boolean
}

const NOBODY = Buffer.alloc(32)

/**
 * Remembers the keys of the devices that were seen last: 0.4 us for each request instead of 5 us for a derivation.
 * @param most how many keys are remembered, some 1 KB of memory each
 */
export const createDerivedKeys = (most: number): DerivedKeys => {
  const remembered = new Map<string, { master: Buffer; deviceKey: Buffer }>()
  return {
    verify: (master, deviceId, keyId, verifies) => {
      const name = `${deviceId}|${keyId}`
      const found = remembered.get(name)
      // By its bytes: each time the mounted Secret is read the same master key is another Buffer, and another master key
      // may come under the same id.
      const known = master !== undefined && found?.master.equals(master) ? found : undefined
      const deviceKey = known?.deviceKey ?? deriveDeviceKey(master ?? NOBODY, deviceId, keyId)
      const verified = verifies(deviceKey)
      if (!verified || master === undefined) {
        if (known !== undefined) deriveDeviceKey(known.master, deviceId, keyId) // for the time that it takes
        return false
      }
      // Set anew, so that the map's order is that of use and the first entry is the one longest unused.
      remembered.delete(name)
      remembered.set(name, known ?? { master, deviceKey })
      if (remembered.size > most) remembered.delete(remembered.keys().next().value as string)
      return true
    },
  }
}
