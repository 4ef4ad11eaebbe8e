# What submits, watches and loads scripts; no torch. From the root of the checkout:
#   docker build -f deploy/images/light.Dockerfile -t srqueue:light .
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/srqueue \
    && /opt/srqueue/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
       -r deploy/requirements-producer.txt \
    && /opt/srqueue/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.12-slim-bookworm
COPY --from=build /opt/srqueue /opt/srqueue
# A number, so that Kubernetes can see that it is not root; the folder for `docker run` without a volume.
RUN useradd --uid 10001 --user-group --home-dir /var/lib/srqueue --create-home srqueue
ENV PATH=/opt/srqueue/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SRQUEUE_HOME=/var/lib/srqueue \
    SRQUEUE_DATASETS=/var/lib/srqueue/datasets.yaml
USER 10001:10001
WORKDIR /var/lib/srqueue
ENTRYPOINT ["srqueue"]
CMD ["--help"]
