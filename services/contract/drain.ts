/**
 * How a signals pod is told that it is to go. The operator writes this annotation on the pod: that takes the right to
 * patch pods, where a path of its HTTP port would obey anybody who reaches it.
 */
export const DRAIN_ANNOTATION = 'xrayiot.dev/drain'
/** Where the pod finds the annotation's value: the kubelet keeps the file up to date, empty while there is none. */
export const DRAIN_FOLDER = '/var/run/xray/drain'
export const DRAIN_FILE = 'asked'
/** Where the pod says, on the port of its metrics, whether it has finished: 200, or 503 with what it still holds. */
export const DRAINED_PATH = '/drained'
