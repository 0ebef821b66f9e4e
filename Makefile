# planetkey: everything that is built, tried and installed starts here. README.md lists the prerequisites.
SHELL := /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
PYTHON ?= python3
export CARGO PYTHON PREFIX DESTDIR

# Which shared cases each language ran.
reports := $(CURDIR)/build/vectors
simulator := $(CURDIR)/target/release/planetkey-simulator
debian_packages := libcurl4-openssl-dev libcjson-dev valgrind cmake pkg-config curl gcc g++ clang binutils
browser_packages := chromium chromium-driver
model_packages := spin
host_packages := bindfs fuse3 libfuse3-dev strace e2fsprogs util-linux
# Large, and for one suite, which says so where it is not run.
gdal_packages := libgdal-dev

# What hangs is a failure, and not a run without an end; the longest suite takes a few minutes, with all that it builds.
within := timeout --foreground --kill-after=10 1200

# Installs what is missing where it may, and says what to do where it may not.
define need
@missing=; for package in $(1); do \
    dpkg -s "$$package" >/dev/null 2>&1 || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
    if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
    else \
        echo "missing packages: install them with: apt-get install$$missing" >&2; exit 1; \
    fi; \
fi
endef

.PHONY: all build bindings demo test test-rust test-schedules test-model test-fuzz test-asan test-c test-python test-node test-vectors test-processes \
	test-host test-peers test-browser test-servers test-gdal test-install test-readme check-windows fuzz bench install dist prerequisites prerequisites-gdal lint clean

# The shared cases are compared after every language has run them.
.NOTPARALLEL:

all: build

# What the C side, its tests and the demo need of Debian.
prerequisites:
	@for tool in $(CARGO) $(PYTHON) node npm; do \
	    command -v "$$tool" >/dev/null || { echo "planetkey needs $$tool; README.md, 'Building', says which version" >&2; exit 1; }; \
	done
	$(call need,$(debian_packages))

prerequisites-gdal: prerequisites
	@if ! pkg-config --exists gdal && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(gdal_packages) || true; \
	fi

build: prerequisites
	$(CARGO) build --release --locked -p planetkey-ffi -p planetkey-cli -p planetkey-simulator

# The wheel in its environment and the addon, for the suites that run several languages.
bindings: build
	bindings/python/install
	node bindings/node/build-addon.mjs

# Builds everything and runs the main job with no account, against the simulator.
demo: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/demo/run

test: prerequisites lint test-rust test-schedules test-model build test-c test-python test-node test-vectors test-processes test-host test-peers \
	test-browser test-servers test-gdal test-install test-asan test-fuzz demo test-readme
	@echo "every suite passed"

lint:
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy -p planetkey --features shuttle --all-targets --locked -- -D warnings

# Not a part of `make test`: whether what is not for Unix alone compiles for Windows.
windows := x86_64-pc-windows-gnu
check-windows:
	@rustc --print target-libdir --target $(windows) | xargs test -d || { echo "run: rustup target add $(windows)" >&2; exit 1; }
	$(call need,gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64)
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey --tests --target $(windows)
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey-ffi -p planetkey-cli --target $(windows)

test-rust:
	mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/rust $(CARGO) test --locked

# The flight under every order of its threads that an explorer finds.
test-schedules:
	$(CARGO) test --locked -p planetkey --features shuttle --lib

# The protocol between processes, under every order of their steps.
test-model: prerequisites
	$(call need,$(model_packages))
	$(within) tests/model/run

test-c: build
	mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/c PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/c/run

test-python: build
	mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/python PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) bindings/python/run-tests

test-node: build
	mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/node PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) bindings/node/run-tests

# After test-rust, test-c, test-python and test-node: each has written which cases it ran.
test-vectors:
	tests/vectors/compare $(addprefix $(reports)/,rust c python node)

# Threads and processes of all languages meet the same expiry.
test-processes: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/processes/run

# Files on a machine with other users: links, devices, modes, mounts. What needs root is skipped for other users.
test-host: bindings
	$(call need,$(host_packages))
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/host/run

# The same files with Planet's own SDK, and the HTTP clients that have an adapter.
test-peers: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/peers/run

# Logins of people in a real browser.
test-browser: bindings
	$(call need,$(browser_packages))
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/browser/run

# Real authorization servers on loopback.
test-servers: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/servers/run

# GDAL in C, C++ and Python reads with tokens that change meanwhile. Not run where GDAL is missing, unless PLANETKEY_DEMAND_ALL=1.
test-gdal: bindings prerequisites-gdal
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/gdal/run

# The parsers: seconds here, minutes by `make fuzz`.
test-fuzz:
	tests/fuzz/run 5

fuzz:
	tests/fuzz/run $(or $(SECONDS),180)

test-install: build
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/install/run

# The extern functions under AddressSanitizer. The sanitizer is a compiler switch that stable hides; C's own cannot see into Rust.
test-asan:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=$(CURDIR)/target/asan \
	    $(CARGO) test --locked -p planetkey-ffi --test extern_functions --test extern_logins --target $$(rustc -vV | sed -n 's/^host: //p')

test-readme: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) $(within) tests/demo/readme-examples

bench: bindings
	PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/bench/run

install: prerequisites
	ffi/install "$(PREFIX)"

dist: prerequisites
	bindings/python/dist
	mkdir -p build/dist
	cd bindings/node && npm pack --pack-destination ../../build/dist

clean:
	$(CARGO) clean
	rm -rf build
