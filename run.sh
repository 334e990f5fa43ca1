#!/usr/bin/env bash
# Every daily command of this project. Each sets up what it needs in .venv, once.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'TEXT'
./run.sh demo [OPTIONS]   show the whole way on a bundled sample; the mails land in demo/
./run.sh test [OPTIONS]   run the tests; options go to pytest (-m "not slow" for the quick ones)
./run.sh digest …         the program itself
./run.sh lint             ruff and mypy
./run.sh lock             write requirements.lock and requirements-dev.lock anew
./run.sh bench NAME       one of benchmarks/, printed as a table
TEXT
}

die() { echo "run.sh: $*" >&2; exit 1; }

python_for_venv() {
    local name
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            echo "$name"; return
        fi
    done
    die "Python 3.11 or newer is needed; on Debian: apt install python3 python3-venv"
}

# set_up LOCK: the packages of a lock file, and the project itself, in .venv
set_up() {
    local lock=$1 stamp python
    stamp=.venv/installed-$(cat "$lock" pyproject.toml | sha256sum | cut -c1-16)-$lock
    [ -e "$stamp" ] && return
    if [ ! -x .venv/bin/python ]; then
        python=$(python_for_venv)
        "$python" -m venv .venv || die "python3-venv is missing; on Debian: apt install python3-venv"
    fi
    echo "setting up .venv (once) …" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e . >&2
    rm -f .venv/installed-*-"$lock"
    touch "$stamp"
}

# the packages for working on the project include those for using it
for_use() { compgen -G '.venv/installed-*-requirements-dev.lock' >/dev/null || set_up requirements.lock; }
for_work() { set_up requirements-dev.lock; }

command=${1:-help}
[ $# -gt 0 ] && shift
case $command in
    demo)   for_use; exec .venv/bin/digest demo "$@" ;;
    digest) for_use; exec .venv/bin/digest "$@" ;;
    test)   for_work; exec .venv/bin/python -m pytest -n "${WORKERS:-2}" --dist loadfile "$@" ;;
    lint)   for_work
            .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy ;;
    lock)   for_work
            uv() { .venv/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --no-header \
                --no-annotate --no-emit-index-url --generate-hashes "$@"; }
            uv -o requirements.lock
            uv --extra dev -o requirements-dev.lock ;;
    bench)  for_work; name=${1:?"name one of: $(ls benchmarks)"}; shift
            exec .venv/bin/python "benchmarks/${name%.py}.py" "$@" ;;
    help|-h|--help) usage ;;
    *)      usage >&2; exit 2 ;;
esac
