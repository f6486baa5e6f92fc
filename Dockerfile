# ganvas in a container, on the CPU:  docker build -t ganvas .
# on NVIDIA GPUs:                     docker build -t ganvas --build-arg TORCH=cu128 .
# docker run --rm -v "$PWD:/work" ganvas train r3gan --data digits --minutes 5        (GPU: docker run --gpus all ...)
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# Which build of PyTorch: cpu, cu126, cu128, ... as on download.pytorch.org/whl/
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
RUN python -m pip install torch --index-url "https://download.pytorch.org/whl/${TORCH}"

COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN python -m pip install "/src[features]" && rm -rf /src

RUN useradd --create-home user && mkdir /work && chown user /work
USER user
ENV GANVAS_CACHE=/home/user/.cache/ganvas
WORKDIR /work
ENTRYPOINT ["ganvas"]
CMD ["--help"]
