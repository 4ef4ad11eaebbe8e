# A worker. From the root of the checkout:
#   docker build -f deploy/images/worker.Dockerfile -t srqueue:worker .
# torch's wheel brings its CUDA libraries (gigabytes); the base tells the container runtime what it asks of the
# driver. Take the one that fits the wheel: `python -c 'import torch; print(torch.version.cuda)'`.
ARG BASE=nvidia/cuda:13.0.2-base-ubuntu24.04
FROM ${BASE} AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/srqueue \
    && /opt/srqueue/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
       -r deploy/requirements-worker.txt \
    && /opt/srqueue/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM ${BASE}
# gcc and Python's headers: Triton compiles a launcher (`compute.mode: fast`). tini: worker and trainers have
# children of their own, which somebody must bury.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-dev gcc libc6-dev tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --home-dir /var/lib/srqueue --create-home srqueue
COPY --from=build /opt/srqueue /opt/srqueue
ENV PATH=/opt/srqueue/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SRQUEUE_HOME=/var/lib/srqueue \
    SRQUEUE_DATASETS=/var/lib/srqueue/datasets.yaml
USER 10001:10001
WORKDIR /var/lib/srqueue
# tini passes SIGTERM on to the worker alone: it hands its jobs back with a checkpoint and ends its children.
ENTRYPOINT ["tini", "--", "srqueue"]
CMD ["worker"]
