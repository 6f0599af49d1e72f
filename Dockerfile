# The image of remediator, for linux/amd64 and linux/arm64. Build: docker build -t remediator:0.1.0 .
#
# The base is pinned by an exact tag. A release adds the digest, so that a tag that moves changes nothing (docs/release.md):
#   docker build --build-arg PYTHON_IMAGE=python:3.13.18-slim-trixie@sha256:... .
# Packages come from a mirror with --build-arg PIP_INDEX_URL=...; their hashes are checked all the same.
ARG PYTHON_IMAGE=python:3.13.18-slim-trixie

# The wheel, from the tree. It is the same for each platform, so it is built once, on the builder's own.
FROM --platform=${BUILDPLATFORM} ${PYTHON_IMAGE} AS wheel
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY remediator/ remediator/
RUN python -m hatchling build -t wheel -d /wheels

# A virtual environment with the locked packages and the wheel, and no pip in it.
FROM ${PYTHON_IMAGE} AS install
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/runtime.txt /tmp/
RUN python -m venv --without-pip /opt/remediator \
 && pip --python /opt/remediator/bin/python install --no-cache-dir --no-compile --require-hashes --only-binary :all: \
      -r /tmp/runtime.txt
COPY --from=wheel /wheels/ /wheels/
# The root file system is read-only at run time, so bytecode is made here; unchecked, because copying changes times; by
# force (-f), because Python has written some already, with times in it.
RUN pip --python /opt/remediator/bin/python install --no-cache-dir --no-compile --no-index --no-deps /wheels/*.whl \
 && python -m compileall -q -f --invalidation-mode unchecked-hash /opt/remediator/lib

FROM ${PYTHON_IMAGE}
# What installs packages is of no use here, and the base comes without the bytecode of the standard library.
RUN pip uninstall --yes --root-user-action ignore pip \
 && stdlib="$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && rm -r "$stdlib/ensurepip" \
 && python -m compileall -q -f --invalidation-mode unchecked-hash "$stdlib"
COPY --from=install /opt/remediator /opt/remediator
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
# No HEALTHCHECK: Kubernetes ignores it and has its own probes, /healthz and /readyz.
ENTRYPOINT ["/opt/remediator/bin/remediator"]
CMD ["run"]
# Last, because they change with each build. Empty is what nobody said; a release says all of it.
ARG PYTHON_IMAGE
ARG VERSION=0.1.0
ARG REVISION
ARG CREATED
ARG SOURCE
LABEL org.opencontainers.image.title="remediator" \
      org.opencontainers.image.description="Replaces Kubernetes pods that use more memory than their workload may" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
