# bunlb in an image: one executable on Debian slim, run by nobody in particular, in a file system that may be read-only.
#
#   docker build -t bunlb --build-arg COMMIT=$(git rev-parse HEAD) --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
#   (and CREATED=2026-11-23T12:00:00Z, SOURCE=https://... for the labels of the image)
#   docker run -p 8080:8080 -e BUNLB_BACKENDS="10.0.0.1:8080 10.0.0.2:8080" bunlb
#   docker run -p 8080:8080 -v ./bunlb.yaml:/etc/bunlb/bunlb.yaml:ro bunlb -c /etc/bunlb/bunlb.yaml
#
# The last stage runs nothing, so that it needs no shell: BASE=gcr.io/distroless/cc-debian12 serves as well.
# Tags may move: who wants the same bytes each time names digests, --build-arg BUN=docker.io/oven/bun@sha256:... and
# BASE=docker.io/library/debian@sha256:..., those of the images that they have checked.
ARG BUN=docker.io/oven/bun:1.4.5-slim
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BUN} AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml tsconfig.json ./
RUN bun install --frozen-lockfile --production
COPY src src
COPY scripts/build.ts scripts/
COPY scripts/release scripts/release
ARG COMMIT
ARG SOURCE_DATE_EPOCH
RUN COMMIT=${COMMIT} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} bun scripts/build.ts

FROM ${BASE}
ARG COMMIT
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="bunlb" \
      org.opencontainers.image.description="An HTTP load balancer in one executable" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /build/dist/bunlb /usr/local/bin/bunlb
COPY LICENSE /usr/share/doc/bunlb/LICENSE
# Every line is a line of JSON; BUNLB_LOG_OUTPUT=stderr keeps them apart from those of the access log.
ENV BUNLB_LOG_OUTPUT=stdout
USER 65532:65532
WORKDIR /
EXPOSE 8080
# SIGTERM drains, for 30 seconds at most if nothing else is set: give it longer than that (docker stop -t 45).
STOPSIGNAL SIGTERM
# Red when no backend is healthy. It asks where BUNLB_ADMIN says, else 127.0.0.1:9900.
HEALTHCHECK --interval=5s --timeout=4s --start-period=5s --retries=2 CMD ["/usr/local/bin/bunlb", "health"]
ENTRYPOINT ["/usr/local/bin/bunlb"]
