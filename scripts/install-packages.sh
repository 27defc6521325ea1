#!/usr/bin/env bash
# Installs the Debian packages of the named sets, if any is missing. Quick and silent when none is;
# needs root or sudo only when one is.
#   build     what the broker is made of
#   test      what `make test` needs besides
#   analysis  clang with its sanitizer run-times, formatting, static analysis
#   bench     the peers of the comparison
# The services of brokers among them are kept from starting.
set -euo pipefail

declare -A sets=(
  [build]="g++ cmake ninja-build ccache libboost1.81-dev libpoco-dev libleveldb-dev libssl-dev zlib1g-dev"
  [test]="libgtest-dev libgmock-dev libbenchmark-dev python3 python3-stomp
          python3-paho-mqtt libpaho-mqttpp-dev libpaho-mqtt-dev mosquitto-clients mosquitto
          ruby ruby-stomp php-cli php-stomp nodejs npm ca-certificates util-linux
          openjdk-17-jdk-headless libgeronimo-jms-1.1-spec-java junit4
          libactivemq-java libspring-jms-java libmqtt-client-java libhawtbuf-java libslf4j-java
          libgeronimo-jta-1.2-spec-java libgeronimo-j2ee-management-1.1-spec-java"
  [analysis]="clang clang-format clang-tidy clang-tools libclang-rt-14-dev"
  [bench]="activemq rabbitmq-server mosquitto python3"
)

if [ $# -eq 0 ]; then
  echo "usage: $0 SET...   (sets: ${!sets[*]})" >&2
  exit 2
fi

installed() {
  # Node.js often comes from elsewhere than Debian, then with an npm that Debian's would clash with.
  case $1 in
    nodejs) command -v node >/dev/null && return 0 ;;
    npm) command -v npm >/dev/null && return 0 ;;
  esac
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
services=no
for set in "$@"; do
  if [ -z "${sets[$set]+known}" ]; then
    echo "$0: no set '$set' (sets: ${!sets[*]})" >&2
    exit 2
  fi
  for package in ${sets[$set]}; do
    if ! installed "$package"; then
      missing+=("$package")
      case $package in
        activemq | rabbitmq-server | mosquitto) services=yes ;;
      esac
    fi
  done
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "$0: this is not a Debian system; please install: ${missing[*]}" >&2
  exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "$0: need root (or sudo) to install: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >&2
}

# policy-rc.d is Debian's way to say that installing must not start a service. One that is there
# belongs to somebody else and stays.
policy=/usr/sbin/policy-rc.d
if [ "$services" = yes ] && [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

echo "installing: ${missing[*]}" >&2
if ! apt_get install --simulate --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
  apt_get update
fi
apt_get install --no-install-recommends "${missing[@]}" || {
  # The package lists were stale: a file that they name is gone from the mirror.
  apt_get update
  apt_get install --no-install-recommends "${missing[@]}"
}

# Nor shall they start with the next boot.
if [ "$services" = yes ] && [ -d /run/systemd/system ]; then
  "${as_root[@]}" systemctl disable --quiet rabbitmq-server activemq mosquitto 2>/dev/null || true
fi
