# srbench on NVIDIA GPUs: docker build -t srbench . && docker run --gpus all srbench doctor
# The CUDA libraries come with torch's wheels; the base has what the driver is found by.
FROM nvidia/cuda:12.6.3-base-ubuntu24.04

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 srbench

WORKDIR /opt/srbench
COPY . .
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir ".[download]"

# srbench, as a number that needs no look-up.
USER 10001
WORKDIR /home/srbench
# Weights, registered data sets and records: mount a volume here to keep them.
ENV SRBENCH_HOME=/home/srbench/home PATH=/opt/venv/bin:$PATH
ENTRYPOINT ["srbench"]
CMD ["--help"]
