#!/bin/sh
# Usage: internal/devstack/setup.sh demo|test|browser
#
# Checks that this machine has the programs the demo or the tests use. On Debian
# and Ubuntu, as root or with sudo, it installs what is missing with apt;
# elsewhere it lists that with the command for it and ends with status 1. It
# says nothing when everything is there. No service needs to run: Avisa starts
# its own servers. `browser` prints the program that the browser tests drive.
set -eu

purpose=${1:-demo}
case $purpose in
  demo | test | browser) ;;
  *) echo "usage: $0 demo|test|browser" >&2; exit 2 ;;
esac

has() { command -v "$1" >/dev/null 2>&1; }

# The folders are those of postgresFolders in postgres_find.go.
has_postgres() {
  for initdb in $(command -v initdb || true) \
    /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/local/pgsql/bin/initdb \
    /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb \
    /home/linuxbrew/.linuxbrew/opt/postgresql@*/bin/initdb /Applications/Postgres.app/Contents/Versions/*/bin/initdb; do
    [ -x "$initdb" ] || continue
    major=$("$initdb" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
    [ "${major:-0}" -ge 15 ] && return 0
  done
  return 1
}

has_redis() { has redis-server || has valkey-server; }

has_node() {
  has node && has npm || return 1
  major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  [ "${major:-0}" -ge 18 ]
}

browser() {
  for name in chromium chromium-browser google-chrome google-chrome-stable "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    if has "$name"; then
      command -v "$name"
      return
    fi
  done
  return 1
}
has_chromium() { browser >/dev/null; }
has_poppler() { has pdftotext; }

if [ "$purpose" = browser ]; then
  browser && exit
  echo "this machine lacks Chromium or Chrome: $0 test installs it, or says how" >&2
  exit 1
fi

# What the purpose needs: a word per program.
needed="node"
# A server given by its address need not be installed; without Redis the demo
# uses one inside its own process.
[ -n "${DATABASE_URL:-}" ] && [ "$purpose" = demo ] || needed="postgres $needed"
if [ "$purpose" = test ]; then
  needed="$needed redis chromium poppler"
elif has apt-get && [ -z "${REDIS_URL:-}" ]; then
  needed="$needed redis"
fi

find_missing() {
  missing=
  for program in $needed; do
    "has_$program" || missing="$missing $program"
  done
}

find_missing
[ -n "$missing" ] || exit 0

ID=unknown
# shellcheck disable=SC1091 # a file of the system
[ ! -r /etc/os-release ] || . /etc/os-release

# The packages of a program in Debian and Ubuntu.
packages() {
  case $1 in
    postgres) echo postgresql ;;
    redis) echo redis-server ;;
    node)
      # Another source's nodejs brings its own npm and conflicts with Debian's.
      has node || echo nodejs
      has npm || echo npm
      ;;
    chromium) if [ "$ID" = ubuntu ]; then echo chromium-browser; else echo "chromium fonts-liberation"; fi ;;
    poppler) echo poppler-utils ;;
  esac
}

wanted=
for program in $missing; do
  wanted="$wanted $(packages "$program" | tr '\n' ' ')"
done
wanted=$(echo $wanted) # one space between the words

if has apt-get && [ -n "$wanted" ]; then
  sudo=
  able=yes
  if [ "$(id -u)" -ne 0 ]; then
    if has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo=sudo; else able=no; fi
  fi
  if [ $able = yes ]; then
    echo "setup: installing $wanted"
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1 </dev/null; }
    # A stale index of one source is no reason to stop: the install decides.
    apt update || true
    # shellcheck disable=SC2086 # a list of words
    if ! apt install --no-install-recommends $wanted; then
      tail -n 15 "$log" >&2
      echo "setup: apt could not install $wanted" >&2
    fi
    hash -r
    find_missing
    [ -n "$missing" ] || exit 0
  fi
fi

brew=no
has brew && brew=yes
# hint NAME DEBIAN-PACKAGES HOMEBREW-PACKAGE REMARK
hint() {
  if [ $brew = yes ]; then
    echo "  $1: brew install $3"
  elif has dnf; then
    echo "  $1: sudo dnf install $4"
  else
    echo "  $1: sudo apt-get install $2"
  fi
}
{
  echo "setup: this machine lacks, to $([ "$purpose" = demo ] && echo "run the demo" || echo "run the tests"):"
  for program in $missing; do
    case $program in
      postgres)
        hint "PostgreSQL 15 or newer (server programs)" postgresql postgresql@17 postgresql-server
        has apt-get && echo "    an older one is there? https://wiki.postgresql.org/wiki/Apt has newer packages"
        ;;
      redis) hint "Redis 6.2 or newer, or Valkey" redis-server redis valkey ;;
      node)
        hint "Node.js 18 or newer, with npm" "nodejs npm" node nodejs-npm
        has apt-get && echo "    an older one is there? https://nodejs.org/en/download has newer ones"
        ;;
      chromium) hint "Chromium or Chrome" chromium "--cask google-chrome" chromium ;;
      poppler) hint "pdftotext" poppler-utils poppler poppler-utils ;;
    esac
  done
} >&2
exit 1
