# The index as an image: docker build -t cpufit-server .
# The wheel is built in the first stage, its environment in the second; the third has neither compiler nor sources.

FROM python:3.13-slim-trixie AS wheel
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM python:3.13-slim-trixie AS environment
COPY --from=wheel /wheel /wheel
RUN python -m venv /opt/cpufit \
    && /opt/cpufit/bin/pip install --no-cache-dir "$(echo /wheel/cpufit-*.whl)[server,metrics]"

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="cpufit-server" \
      org.opencontainers.image.description="A Python package index that knows which CPU features a wheel needs" \
      org.opencontainers.image.licenses="Apache-2.0"
# The numeric user can be told from root by whoever runs the image without looking into it.
RUN groupadd --gid 10001 cpufit \
    && useradd --uid 10001 --gid cpufit --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cpufit \
    && install --directory --owner cpufit --group cpufit --mode 0700 /var/lib/cpufit
COPY --from=environment /opt/cpufit /opt/cpufit
ENV PATH=/opt/cpufit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CPUFIT_HOME=/var/lib/cpufit \
    CPUFIT_HOST=0.0.0.0 \
    CPUFIT_PORT=8000 \
    CPUFIT_LOG_FORMAT=json \
    NUMBA_CACHE_DIR=/tmp/numba
USER 10001:10001
WORKDIR /var/lib/cpufit
VOLUME ["/var/lib/cpufit"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"CPUFIT_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["cpufit-server"]
CMD ["serve"]
