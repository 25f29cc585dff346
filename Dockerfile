# The lottery with a database file of its own, without Compose:
#     docker build -t lottery .
#     docker run -p 127.0.0.1:8080:8080 -v lottery:/var/lib/lottery lottery
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}

# The number is fixed, so that a volume stays this user's whichever image is built next.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lottery \
    && install -d -m 700 -o lottery -g lottery /var/lib/lottery

WORKDIR /app

# Before the code, so that a change of code does not reinstall them.
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
    --require-hashes -r requirements.txt

COPY config config
COPY lottery_system lottery_system
COPY static static
COPY templates templates
# Compiled here, since the lottery cannot write beside its code; readable whatever the umask of
# the checkout was.
RUN python -m compileall -q config lottery_system && chmod -R a+rX .

ENV LOTTERY_HOST=0.0.0.0 LOTTERY_STORAGE=/var/lib/lottery
VOLUME /var/lib/lottery
EXPOSE 8080
USER 10001

HEALTHCHECK --interval=10s --timeout=5s --start-period=90s CMD ["python", "-m", "config.probe"]

CMD ["sh", "config/start.sh"]
