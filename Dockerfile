# syntax=docker/dockerfile:1
# Debian, not Alpine: the wheel with the embedded PostgreSQL exists for glibc only.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# The dependencies first: they change less often than the sources.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /opt/holdfast \
 && /opt/holdfast/bin/pip install --require-hashes --only-binary=:all: -r requirements/runtime.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY clients/python clients/python
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/holdfast/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
# The number is for orchestrators that insist on a non-root uid; the name is for initdb, which looks it up.
RUN groupadd --gid 10001 holdfast \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/holdfast --shell /usr/sbin/nologin holdfast \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/holdfast
COPY --from=build /opt/holdfast /opt/holdfast
# Inside a container, loopback would reach nobody, so the service listens on every address, and then wants to be told how that is safe:
# HOLDFAST_TLS_CERT and HOLDFAST_TLS_KEY (or HOLDFAST_ALLOW_PLAINTEXT=1), and HOLDFAST_ACCESS (or HOLDFAST_ALLOW_ANONYMOUS=1).
# Without both it does not start, and says so.
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOLDFAST_LISTEN=0.0.0.0:7443 \
    HOLDFAST_HTTP=0.0.0.0:7480 \
    HOLDFAST_DATA_DIR=/var/lib/holdfast
USER 10001:10001
WORKDIR /var/lib/holdfast
# The embedded store, unless HOLDFAST_STORE_URL names a server, and the key that encrypts DSNs, unless HOLDFAST_SECRET_KEY holds it.
# With both set nothing is written here, and the root file system may be read-only.
VOLUME /var/lib/holdfast
# gRPC; /metrics, /healthz and /readyz
EXPOSE 7443 7480
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7480/healthz', timeout=2)"]
ENTRYPOINT ["holdfastd"]
CMD ["serve"]
