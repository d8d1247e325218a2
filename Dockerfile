# The service for a database of the operator's: give LEDGER_DSN (and LEDGER_BOOTSTRAP_TOKEN for the first start).
#
#   docker build -t ledger-service .
#   docker run -e LEDGER_DSN=postgresql://USER:PASSWORD@HOST/DATABASE -p 50051:50051 -p 8080:8080 \
#       -v /path/to/certificates:/tls:ro -e LEDGER_TLS_CERTIFICATE=/tls/tls.crt -e LEDGER_TLS_KEY=/tls/tls.key ledger-service
#
# Without a certificate it refuses to serve: a container's address is not this machine's, and tokens would cross the
# network in clear. Where the network encrypts by itself (a service mesh), or nobody else is on it, say so instead:
#
#   docker run -e LEDGER_DSN=… -e LEDGER_INSECURE=true -p 127.0.0.1:50051:50051 ledger-service

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# The service's dependencies by themselves: a layer that only a change of the lock file builds anew, and the only
# packages that reach the image. The embedded PostgreSQL is not among them.
COPY requirements.lock ./
RUN python -m venv /opt/ledger \
    && /opt/ledger/bin/python -m pip install --require-hashes -r requirements.lock

# The tools that generate the stubs and build the wheel stay behind in this stage.
COPY requirements-local.lock ./
RUN python -m venv /opt/tools \
    && /opt/tools/bin/python -m pip install --require-hashes -r requirements-local.lock

COPY . ./
RUN /opt/tools/bin/python scripts/generate_stubs.py \
    && /opt/tools/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/ledger/bin/python -m pip install --no-deps --no-index /wheels/*.whl \
    # pip has done its work; an image that serves needs no way to install.
    && /opt/ledger/bin/python -m pip uninstall --yes pip


FROM python:3.12-slim
RUN groupadd --system --gid 10001 ledger \
    && useradd --system --uid 10001 --gid ledger --no-create-home --home-dir /nonexistent ledger
COPY --from=build /opt/ledger /opt/ledger
ENV PATH=/opt/ledger/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    # Inside a container the loopback address reaches nobody.
    LEDGER_GRPC=0.0.0.0:50051 \
    LEDGER_REST=0.0.0.0:8080
# By number, so that Kubernetes' runAsNonRoot can tell.
USER 10001:10001
WORKDIR /
EXPOSE 50051 8080
# The start includes migrations. `health` asks grpc.health.v1 and exits 0 only for SERVING, over TLS where the options
# above say so; where client certificates are demanded, give it one in LEDGER_HEALTH_CERTIFICATE and LEDGER_HEALTH_KEY.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["ledger-service", "health"]
# SIGTERM drains: give it more than LEDGER_DRAIN_SECONDS (docker stop --time 40).
STOPSIGNAL SIGTERM
ENTRYPOINT ["ledger-service"]
CMD ["serve"]
