# syntax=docker/dockerfile:1
# The image of both programs. What is done stands in packaging/image, step by step; docs/image.md tells what comes of it.
#
# A tag moves; a release is built from a digest: --build-arg BASE=debian:bookworm-slim@sha256:... (docs/image.md, "Building it").
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# Seconds: the time of all files. A release takes that of its commit.
ARG SOURCE_DATE_EPOCH=0
WORKDIR /build/src
COPY packaging/image packaging/image
RUN packaging/image tools
COPY requirements/build.txt requirements/webhook.txt requirements/
RUN packaging/image environment /build/environment
RUN packaging/image debian /build/out
RUN packaging/image dependencies /build/environment /build/out
COPY setup.py pyproject.toml README.md LICENSE ./
COPY resolver resolver
COPY webhook webhook
RUN packaging/image wheel /build/environment . /build/wheels
COPY packaging/healthcheck.py packaging/healthcheck.py
RUN packaging/image install /build/wheels/nodelocaldns-*.whl /build/out

# For releases: the wheel that is in the image, as a file.
FROM scratch AS wheel
COPY --from=build /build/wheels/ /

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="nodelocaldns" \
      org.opencontainers.image.description="A DNS cache for every Kubernetes node, and a webhook that lets pods opt in to it" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/nodelocaldns/nodelocaldns" \
      org.opencontainers.image.documentation="https://github.com/nodelocaldns/nodelocaldns/blob/main/docs/image.md" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/out/ /
# PYTHONOPTIMIZE is for the programs that the resolver starts: the bytecode is compiled for it.
ENV PATH=/usr/local/bin:/usr/bin PYTHONOPTIMIZE=2 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["nodelocaldns-healthcheck"]
CMD ["nodelocaldns-resolver"]
