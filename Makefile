# Builds, tests and installs planetkey. `make help` lists the targets, docs/how-to/install.md the
# prerequisites.
SHELL := /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
PYTHON ?= python3
# The platforms of `make dist`, as packaging/common.py names them, or `all`. Without it: that of this
# machine.
TARGETS ?=
# The roots of `make test-distributions`: all without it.
SUITES ?=
# The number of suites that run at the same time: two for each processor, because most of them wait
# for servers, timers, other processes and builds more than they compute. Some run several tests at
# the same time.
JOBS ?= $(shell expr 2 '*' "$$(nproc 2>/dev/null || echo 2)")
export CARGO PYTHON PREFIX DESTDIR

# The core with shuttle. Compiling it takes longer than running it.
with_shuttle := -p planetkey --features shuttle --lib \
	--config profile.release.package.planetkey.opt-level=1
# Each language writes the names of the shared cases that it ran below this directory.
reports := $(CURDIR)/build/vectors
simulator := $(CURDIR)/target/release/planetkey-simulator
# Runs a suite and prints its time. The target of a suite has built what the suite needs.
suite := PLANETKEY_BUILT=1 PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/suite
debian_packages := libcurl4-openssl-dev libcjson-dev valgrind cmake pkg-config curl gcc g++ clang clang-format binutils
docs_packages := doxygen
browser_packages := chromium chromium-driver
model_packages := spin
store_packages := redis-server openssl
package_packages := dpkg-dev
# For the packages of a release.
release_packages := lintian
host_packages := bindfs fuse3 libfuse3-dev strace e2fsprogs util-linux
# Large and needed by one suite only. That suite says so when it is skipped.
gdal_packages := libgdal-dev
peers_packages := postgresql libsecret-tools gnome-keyring dbus-daemon pass gnupg

# All suites. They start in this order: first what needs no build, then the longest, so that no long
# one runs alone at the end.
suites := test-model test-c test-peers test-node test-fuzz test-rust test-processes test-store test-host \
	test-servers test-docs docs test-python lint test-browser test-packages test-gdal test-install \
	test-schedules test-demo test-readme test-asan test-static-libs

.PHONY: all help prerequisites build python-tools wheel addon bindings pages rust-tests sanitized \
	demo check test test-suites $(suites) test-vectors test-packages test-release \
	test-reproducible test-distributions test-windows check-windows \
	audit fuzz pictures bench chaos install package dist release-check clean

all: build

help: ## prints the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | awk -F '|' '{ printf "make %-18s %s\n", $$1, $$2 }'

prerequisites: ## installs the Debian packages for the C programs, their tests and the demo
	@for tool in $(CARGO) $(PYTHON) node npm; do \
	    command -v "$$tool" >/dev/null || { echo "planetkey needs $$tool. docs/how-to/install.md lists the versions." >&2; exit 1; }; \
	done
	@tests/need $(debian_packages)

build: prerequisites ## builds the library, the command and the simulator
	$(CARGO) build --release --locked -p planetkey-ffi -p planetkey-cli -p planetkey-simulator

python-tools: prerequisites
	bindings/python/environment

wheel: build python-tools ## builds the Python wheel and installs it into build/python
	bindings/python/install

addon: build ## builds the Node addon
	node bindings/node/build-addon.mjs

bindings: wheel addon

# The manual pages and completions of the command.
pages: build
	$(CARGO) build --release --locked -p planetkey-cli --example pages

rust-tests: build
	$(CARGO) test --release --locked --no-run
	$(CARGO) test --release --locked --no-run $(with_shuttle)

# Builds the fuzz targets and the tests of the extern functions with AddressSanitizer. Needs the
# dependencies of the plain build.
sanitized: build
	tests/fuzz/cargo build --release --locked -p planetkey-fuzz --bins
	tests/fuzz/cargo test --release --locked --no-run -p planetkey-ffi --test main

demo: prerequisites ## builds everything and runs the main task against the simulator, without an account
	@$(MAKE) --no-print-directory -j$(JOBS) test-demo

test-demo: bindings
	$(suite) demo tests/demo/run

check: lint ## runs lint, the core tests and the shared cases: run it before a commit
	$(CARGO) test --release --locked --no-run -p planetkey
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/rust $(suite) core $(CARGO) test --release --locked -p planetkey

# After a failed suite the others still run.
test: prerequisites ## builds everything and runs every suite
	@tests/suite --clear
	@status=0; \
	$(MAKE) --keep-going --output-sync=target -j$(JOBS) test-suites || status=1; \
	$(MAKE) test-vectors || status=1; \
	tests/suite --table; \
	if [ $$status = 0 ]; then echo "every suite passed"; else echo "not every suite passed" >&2; fi; \
	exit $$status

test-suites: $(suites)

lint: prerequisites ## checks rustfmt, clippy, dependencies (deny.toml), and that each crate is compiled once
	$(suite) lint tests/lint

# Needs the database of advisories from the network, so it is not part of `make test`.
audit: ## checks the dependencies for security advisories
	tests/deny advisories

# Not part of `make test`.
windows := x86_64-pc-windows-gnu
check-windows: ## checks that the portable code compiles for Windows
	@rustc --print target-libdir --target $(windows) | xargs test -d || \
	    { echo "run: rustup target add $(windows)" >&2; exit 1; }
	@tests/need gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey --tests --target $(windows)
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey-ffi -p planetkey-cli --target $(windows)

test-rust: rust-tests ## tests the core, the extern functions, the command and the simulator
	@tests/need $(store_packages)
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/rust $(suite) rust $(CARGO) test --release --locked

test-schedules: rust-tests ## explores the thread schedules of the token cache with shuttle
	$(suite) schedules $(CARGO) test --release --locked $(with_shuttle)

test-model: prerequisites ## explores a model of the protocol between processes with spin
	@tests/need $(model_packages)
	$(suite) model tests/model/run

test-c: build ## runs C and C++ programs, plain and under valgrind
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/c $(suite) c tests/c/run

test-static-libs: build ## checks which system libraries the static library needs
	$(suite) static-libs tests/c/native-static-libs

test-python: wheel ## tests the Python package
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/python $(suite) python bindings/python/run-tests

test-node: addon ## tests the Node package
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/node $(suite) node bindings/node/run-tests

# Compares what test-rust, test-c, test-python and test-node wrote.
test-vectors: ## checks that every language ran every shared case; run the languages' suites first
	tests/vectors/compare $(addprefix $(reports)/,rust c python node)

test-processes: bindings ## checks that threads and processes of all languages refresh an expired token once
	$(suite) processes tests/processes/run

# REPEAT=20 repeats the tests of one request in four languages.
test-store: bindings ## shares tokens between machines through Redis and Valkey on loopback
	@tests/need $(store_packages)
	$(suite) store tests/store/run

# Not part of `make test`.
chaos: bindings ## kills, stops and cuts machines and stores for SECONDS (600)
	@tests/need $(store_packages)
	tests/store/chaos $(or $(SECONDS),600)

# Cases that need root are skipped for other users.
test-host: bindings ## tests files on a host with other users: links, devices, modes, mounts
	@tests/need $(host_packages)
	$(suite) host tests/host/run

test-peers: bindings ## shares files with Planet's SDK, and runs the adapters with their HTTP clients
	@tests/need $(peers_packages)
	$(suite) peers tests/peers/run

test-browser: bindings ## logs in with a real browser
	@tests/need $(browser_packages)
	$(suite) browser tests/browser/run

test-servers: bindings ## runs against Keycloak and oidc-provider on loopback
	$(suite) servers tests/servers/run

# Skipped without GDAL, unless PLANETKEY_DEMAND_ALL=1.
test-gdal: bindings ## reads with GDAL in C, C++ and Python while tokens change
	@if ! pkg-config --exists gdal && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    tests/need $(gdal_packages) || true; \
	fi
	$(suite) gdal tests/gdal/run

test-fuzz: sanitized ## fuzzes every parser for seconds
	$(suite) fuzz tests/fuzz/run 2

fuzz: ## fuzzes every parser for SECONDS (180)
	PLANETKEY_INSTRUMENT=all tests/fuzz/run $(or $(SECONDS),180)

test-install: build ## builds programs against the installed library
	$(suite) install tests/install/run

test-asan: sanitized ## runs the extern functions under AddressSanitizer
	$(suite) asan tests/fuzz/cargo test --release --locked -p planetkey-ffi --test main extern_

test-readme: bindings ## runs the examples of README.md
	$(suite) readme tests/demo/readme-examples

test-docs: bindings ## runs the code blocks of the manual
	$(suite) docs-test tests/docs/run

docs: build ## builds the manual into build/docs/html; warnings are errors
	@tests/need $(docs_packages)
	$(suite) docs docs/site/build

pictures: build ## draws the pictures in docs/pictures from a real run
	docs/pictures/draw

bench: bindings ## measures planetkey and other clients, and prints tables
	PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/bench/run

install: prerequisites ## installs the library, headers, pkg-config and CMake files, and the command below PREFIX
	ffi/install "$(PREFIX)"

package: prerequisites ## builds a wheel and an npm package for this machine in build/package
	bindings/python/dist
	mkdir -p build/package
	cd bindings/node && npm pack --pack-destination ../../build/package

dist: prerequisites ## makes the packages of a release in build/dist; TARGETS=all: for every platform
	@tests/need dpkg
	packaging/dist $(TARGETS)

# Packages of this machine's build, installed here.
test-packages: bindings pages ## tests the scripts that make packages, and installs what they make
	@tests/need $(package_packages)
	$(suite) packages tests/packages/run

# These four test what `make dist` made. They are not part of `make test`, because that takes long.
test-release: prerequisites ## checks what `make dist` made, on this machine
	@tests/need $(package_packages) $(release_packages)
	tests/packages/release

test-reproducible: prerequisites ## makes the packages again in another directory, and compares them
	tests/packages/reproducible $(TARGETS)

test-distributions: prerequisites ## installs what `make dist TARGETS=all` made in Debian 11, 12 and 13, as root
	@tests/need debootstrap qemu-user-static util-linux $(package_packages)
	tests/packages/distributions $(SUITES)

test-windows: build ## tests what `make dist TARGETS=x86_64-windows-gnu` made under Wine
	@tests/need wine64 gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64 pkg-config cmake binutils curl
	tests/packages/windows

release-check: ## checks version, change log and packages before a release is tagged
	packaging/release-check

clean: ## removes everything that was built
	$(CARGO) clean
	rm -rf build
