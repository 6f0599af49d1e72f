# The image of remediator. Build: docker build -t remediator:0.1.0 .
#
# The base is pinned by an exact tag here. Release automation adds the digest, so that a tag that moves changes nothing:
#   docker build --build-arg PYTHON_IMAGE=python:3.13.16-slim-bookworm@sha256:... .
ARG PYTHON_IMAGE=python:3.13.16-slim-bookworm

# The wheel, from the tree. The build backend comes from the developers' lock file: same hashes, no second list.
FROM ${PYTHON_IMAGE} AS wheel
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/dev.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY remediator/ remediator/
RUN python -m hatchling build -t wheel -d /wheels

# A virtual environment with the locked packages and the wheel, and no pip in it.
FROM ${PYTHON_IMAGE} AS install
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/runtime.txt /tmp/
RUN python -m venv --without-pip /opt/remediator \
 && pip --python /opt/remediator/bin/python install --no-cache-dir --no-compile --require-hashes --only-binary :all: \
      -r /tmp/runtime.txt
COPY --from=wheel /wheels/ /wheels/
# The root file system is read-only at run time, so bytecode is made here; unchecked, because copying changes times.
RUN pip --python /opt/remediator/bin/python install --no-cache-dir --no-compile --no-index --no-deps /wheels/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/remediator/lib

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="remediator" \
      org.opencontainers.image.description="Replaces Kubernetes pods that use more memory than their workload may" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The base image comes without the bytecode of the standard library.
RUN python -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python3.13
COPY --from=install /opt/remediator /opt/remediator
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
# No HEALTHCHECK: Kubernetes ignores it and has its own probes, /healthz and /readyz.
ENTRYPOINT ["/opt/remediator/bin/remediator"]
CMD ["run"]
