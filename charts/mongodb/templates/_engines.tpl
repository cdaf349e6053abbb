{{- define "mongodb.security" -}}
{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
{{- end }}

{{- define "mongodb.mounts" -}}
- { name: data, mountPath: /data }
- { name: binding, mountPath: /run/binding, readOnly: true }
- { name: config, mountPath: /etc/xray, readOnly: true }
- { name: state, mountPath: /state }
- { name: tmp, mountPath: /tmp }
{{- end }}

{{/* The start of a command that waits until no other server runs on the volume, and keeps others off it. */}}
{{- define "mongodb.locked" -}}
flock, --no-fork, /data/.lock
{{- end }}

{{- define "mongodb.username" -}}
- { name: MONGODB_USERNAME, valueFrom: { secretKeyRef: { name: {{ .Values.auth.existingSecret | default (include "mongodb.fullname" .) }}, key: username } } }
{{- end }}

{{/*
MongoDB: mongod, and beside its first member the script that keeps the replica set. mongod locks /data/db/mongod.lock
itself, across pods: a second one ends at once, and is restarted until the first is gone.
*/}}
{{- define "mongodb.mongodbPod" -}}
initContainers:
  # mongod refuses a key file that its group may read, and a mounted Secret is.
  - name: keyfile
    image: {{ include "mongodb.image" .Values.image }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [sh, -ec, "mkdir -p /data/db; rm -f /state/keyfile; install -m 0400 /run/binding/keyfile /state/keyfile"]
    securityContext: {{ include "mongodb.security" . }}
    resources: { requests: { cpu: 10m, memory: 16Mi }, limits: { memory: 64Mi } }
    volumeMounts: {{- include "mongodb.mounts" . | nindent 6 }}
  - name: replica-set
    image: {{ include "mongodb.image" .Values.image }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    restartPolicy: Always
    # Only the first member's copy acts; the others wait.
    command: [bash, -c, 'case "$HOSTNAME" in *-0) exec mongosh --norc --quiet --nodb /etc/xray/replica-set.js;; *) exec sleep infinity;; esac']
    env:
      - { name: HOME, value: /tmp }
      {{- include "mongodb.username" . | nindent 6 }}
    securityContext: {{ include "mongodb.security" . }}
    resources: { requests: { cpu: 20m, memory: 128Mi }, limits: { memory: 256Mi } }
    volumeMounts: {{- include "mongodb.mounts" . | nindent 6 }}
containers:
  - name: mongodb
    image: {{ include "mongodb.image" .Values.image }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    command: [mongod, --replSet, xray, --keyFile, /state/keyfile, --bind_ip_all, --dbpath, /data/db, --unixSocketPrefix, /tmp]
    ports: [{ name: mongodb, containerPort: 27017 }]
    # An hour: it opens its port when it has replayed its journal, and restarted meanwhile it would begin anew.
    startupProbe: { tcpSocket: { port: mongodb }, periodSeconds: 5, failureThreshold: 720 }
    # hello needs no user. Being primary is asked here and never in a liveness probe: that would restart members in an
    # election. Each call starts a shell of its own, hence the long period.
    readinessProbe:
      exec: { command: [mongosh, --norc, --quiet, "mongodb://127.0.0.1:27017/?directConnection=true&serverSelectionTimeoutMS=2000", --eval, "const h = db.hello(); quit(h.isWritablePrimary || h.secondary ? 0 : 1)"] }
      periodSeconds: 15
      timeoutSeconds: 10
    livenessProbe: { tcpSocket: { port: mongodb }, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 5 }
    env: [{ name: HOME, value: /tmp }]
    securityContext: {{ include "mongodb.security" . }}
    resources: {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts: {{- include "mongodb.mounts" . | nindent 6 }}
{{- end }}

{{/* FerretDB: it speaks MongoDB's protocol and keeps no data; PostgreSQL beside it does. */}}
{{- define "mongodb.ferretdbPod" -}}
initContainers:
  - name: init
    image: {{ include "mongodb.image" .Values.postgresql.image }}
    imagePullPolicy: {{ .Values.postgresql.image.pullPolicy }}
    # It may be that the server of a pod removed by force still runs, and postmaster.pid says nothing about a process in
    # another PID namespace. So both containers run under one lock, which the last process of a server lets go. This one
    # waits without a limit.
    command: [{{ include "mongodb.locked" . }}, sh, /etc/xray/init.sh]
    env: {{- include "mongodb.username" . | nindent 6 }}
    securityContext: {{ include "mongodb.security" . }}
    resources: { requests: { cpu: 10m, memory: 64Mi }, limits: { memory: 512Mi } }
    volumeMounts: {{- include "mongodb.mounts" . | nindent 6 }}
  # A sidecar that starts before FerretDB and ends after it.
  - name: postgresql
    image: {{ include "mongodb.image" .Values.postgresql.image }}
    imagePullPolicy: {{ .Values.postgresql.image.pullPolicy }}
    restartPolicy: Always
    # flock is replaced by PostgreSQL, which so gets the signals and, with all its children, keeps the lock.
    command: [{{ include "mongodb.locked" . }}, postgres, -D, /data/postgresql]
    env: {{- include "mongodb.username" . | nindent 6 }}
    # An hour to get the lock and to replay its log: restarted meanwhile it would begin anew.
    startupProbe: { exec: { command: [sh, /etc/xray/extension.sh] }, periodSeconds: 2, timeoutSeconds: 60, failureThreshold: 1800 }
    livenessProbe: { exec: { command: [pg_isready, --host=127.0.0.1, --quiet] }, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 5 }
    securityContext: {{ include "mongodb.security" . }}
    resources: {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts: {{- include "mongodb.mounts" . | nindent 6 }}
containers:
  - name: ferretdb
    image: {{ include "mongodb.image" .Values.ferretdb.image }}
    imagePullPolicy: {{ .Values.ferretdb.image.pullPolicy }}
    command: [/ferretdb]
    env:
      - { name: FERRETDB_POSTGRESQL_URL_FILE, value: /run/binding/postgresql-url }
      - { name: FERRETDB_LISTEN_ADDR, value: ":27017" }
      - { name: FERRETDB_DEBUG_ADDR, value: ":8088" }
      - { name: FERRETDB_STATE_DIR, value: /state }
      - { name: FERRETDB_TELEMETRY, value: disable }
      - { name: FERRETDB_LOG_LEVEL, value: warn }
    ports: [{ name: mongodb, containerPort: 27017 }, { name: debug, containerPort: 8088 }]
    readinessProbe: { httpGet: { path: /debug/readyz, port: debug }, periodSeconds: 5, timeoutSeconds: 5 }
    livenessProbe: { httpGet: { path: /debug/livez, port: debug }, periodSeconds: 30, timeoutSeconds: 5, failureThreshold: 5 }
    securityContext: {{ include "mongodb.security" . }}
    resources: {{- toYaml .Values.ferretdb.resources | nindent 6 }}
    volumeMounts:
      - { name: binding, mountPath: /run/binding, readOnly: true }
      - { name: state, mountPath: /state }
      - { name: tmp, mountPath: /tmp }
{{- end }}
