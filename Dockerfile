# The gateway with the embedded engine; docs/docker.md has the commands. The distributed engine is
# not in the image: its libraries are mounted.
#
# The current LTS line; `npm run test:matrix` runs the gateway on it.
ARG NODE_VERSION=26

FROM node:${NODE_VERSION}-bookworm AS build
WORKDIR /app
# Dependencies first, so that a change of sources does not fetch them again. The engine is built
# below, not by the install script, whose sources are not here yet.
COPY package.json package-lock.json .npmrc ./
COPY packages/client/package.json ./packages/client/
RUN npm ci --ignore-scripts
COPY tsconfig.json openapi.yaml ./
COPY scripts ./scripts
COPY embedded-engine ./embedded-engine
COPY native-helpers ./native-helpers
COPY src ./src
# npm links the package of the client into node_modules; the image does not contain it.
RUN npm run build:engine && npm run build && npm prune --omit=dev --ignore-scripts && \
  rm node_modules/memcache-gateway-client
# Node without its debugging symbols, and the library that newer versions need beside those of the final
# image. The program and npm of node:slim would make the image larger than 250 MB.
RUN mkdir -p runtime/lib && strip -o runtime/node "$(command -v node)" && \
  for library in $(ldd runtime/node | awk '$1 ~ /^libatomic/ { print $3 }'); do cp -L "$library" runtime/lib/; done

FROM debian:bookworm-slim
COPY --from=build /app/runtime/node /usr/local/bin/
COPY --from=build /app/runtime/lib /usr/lib
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/build/native ./build/native
# A container has to listen on all its addresses to be reached at all. So the gateway refuses to start
# until GATEWAY_TOKEN_FILE names tokens, or GATEWAY_INSECURE=1 lets in everyone who reaches the port.
ENV NODE_ENV=production GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=8080
EXPOSE 8080
# The user `node` of the images of Node; this image has no name for it.
USER 1000:1000
# Reads the same variables and settings file as the gateway, so it also works with TLS, Unix sockets and
# other ports.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "dist/program/main.js", "check-ready"]
ENTRYPOINT ["node", "dist/program/main.js"]
