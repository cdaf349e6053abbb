# One image, four entry points: services/{producer,signals,api}/main.ts and operator/main.ts. Node runs the TypeScript
# itself; there is no build step. The command is given by whoever runs it.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-trixie-slim

FROM ${NODE_IMAGE} AS deps
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE_IMAGE} AS sources
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
# What no process reads: source maps, declarations and documentation are more than half of the dependencies.
RUN find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' -o -name '*.md' \) -delete
COPY package.json ./
COPY services ./services
COPY operator ./operator
RUN find services operator -name '*.test.ts' -delete

# For skaffold: files are synced into it and the process restarts; its root file system is writable.
FROM sources AS dev
RUN chown -R 65532:65532 /app
USER 65532:65532

FROM sources AS runtime
# Memory that follows the pod's limit. V8's young generation has 4 MB: of its own accord it takes 1 MB in a small pod, which
# costs a fifth more CPU for a message, and up to 134 MB in a large one. The old generation has half of the limit: V8's
# own choice is 280 MB of 256, so that the kernel would end a process that should have collected. Two allocator arenas
# instead of eight a core keep what buffers leave behind together (docs/performance.md).
ENV NODE_ENV=production NODE_COMPILE_CACHE=/app/.compile-cache MALLOC_ARENA_MAX=2 \
    NODE_OPTIONS="--max-semi-space-size=4 --max-old-space-size-percentage=50"
# A process without its environment ends with 78, after it has loaded all of its code: that fills the cache, which
# makes every later start faster and smaller.
RUN for entry in services/producer services/signals services/api operator; do node $entry/main.ts >/dev/null 2>&1; [ $? -eq 78 ] || exit 1; done
USER 65532:65532
