# planetkey: everything that is built, tried and installed starts here; `make help` lists it. README.md lists the prerequisites.
SHELL := /bin/sh
PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
PYTHON ?= python3
# So many suites run at a time.
JOBS ?= 2
# One build for everything: ffi/path-flags says what that needs.
RUSTFLAGS := $(shell ffi/path-flags)
export CARGO PYTHON PREFIX DESTDIR RUSTFLAGS

# Which shared cases each language ran.
reports := $(CURDIR)/build/vectors
simulator := $(CURDIR)/target/release/planetkey-simulator
# A suite with its time. Nothing is built in it, because its target has built what it needs.
suite := PLANETKEY_BUILT=1 PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/suite
debian_packages := libcurl4-openssl-dev libcjson-dev valgrind cmake pkg-config curl gcc g++ clang binutils
docs_packages := doxygen
browser_packages := chromium chromium-driver
model_packages := spin
host_packages := bindfs fuse3 libfuse3-dev strace e2fsprogs util-linux
# Large, and for one suite, which says so where it is not run.
gdal_packages := libgdal-dev

# Suites that run beside each other.
together := lint test-schedules test-model test-c test-python test-node test-host test-peers test-browser test-servers test-gdal test-install \
	test-asan test-fuzz test-readme docs
# After those and one after the other: what waits for short deadlines, loads the machine on purpose, or compiles.
alone := test-rust test-processes test-static-libs demo

.PHONY: all help prerequisites build python-tools wheel addon bindings rust-tests sanitized check test test-together test-alone test-docs \
	$(together) $(alone) test-vectors check-windows fuzz bench install dist clean

all: build

help: ## prints this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' Makefile | awk -F '|' '{ printf "make %-18s %s\n", $$1, $$2 }'

prerequisites: ## installs what the C side, its tests and the demo need of Debian
	@for tool in $(CARGO) $(PYTHON) node npm; do \
	    command -v "$$tool" >/dev/null || { echo "planetkey needs $$tool; README.md, 'Building', says which version" >&2; exit 1; }; \
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

rust-tests: build
	$(CARGO) test --release --locked --no-run
	$(CARGO) test --release --locked --no-run -p planetkey --features shuttle --lib

# The fuzz targets and the tests of the extern functions, under AddressSanitizer.
sanitized: prerequisites
	tests/fuzz/cargo build --release --locked -p planetkey-fuzz --bins
	tests/fuzz/cargo test --release --locked --no-run -p planetkey-ffi --test main

demo: prerequisites ## builds everything and runs the main job without an account, against the simulator
	@$(MAKE) --no-print-directory -j$(JOBS) bindings
	$(suite) demo tests/demo/run

check: lint ## lint and the tests of the core with the shared cases: what to run before a commit
	$(CARGO) test --release --locked --no-run -p planetkey
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/rust $(suite) core $(CARGO) test --release --locked -p planetkey

# A suite that fails keeps no other one from running.
test: prerequisites ## builds everything and runs every suite
	@tests/suite --clear
	@status=0; \
	$(MAKE) --keep-going --output-sync=target -j$(JOBS) test-together || status=1; \
	$(MAKE) --keep-going -j1 test-alone || status=1; \
	$(MAKE) test-vectors || status=1; \
	tests/suite --table; \
	if [ $$status = 0 ]; then echo "every suite passed"; else echo "not every suite passed" >&2; fi; \
	exit $$status

test-together: $(together)
test-alone: $(alone)

lint: prerequisites ## rustfmt, clippy, and that every crate is compiled once
	$(suite) lint tests/lint

# Not a part of `make test`.
windows := x86_64-pc-windows-gnu
check-windows: ## whether what is not for Unix alone compiles for Windows
	@rustc --print target-libdir --target $(windows) | xargs test -d || { echo "run: rustup target add $(windows)" >&2; exit 1; }
	@tests/need gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey --tests --target $(windows)
	RUSTFLAGS=-Dwarnings $(CARGO) check --locked -p planetkey-ffi -p planetkey-cli --target $(windows)

test-rust: rust-tests ## the tests of the core, the extern functions, the command and the simulator
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/rust $(suite) rust $(CARGO) test --release --locked

test-schedules: rust-tests ## the flight under every order of its threads that an explorer finds
	$(suite) schedules $(CARGO) test --release --locked -p planetkey --features shuttle --lib

test-model: prerequisites ## the protocol between processes, as a model that spin explores
	@tests/need $(model_packages)
	$(suite) model tests/model/run

test-c: build ## C and C++ programs, plain and under valgrind
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/c $(suite) c tests/c/run

# Compiles, and for a moment puts another library into target/release.
test-static-libs: build ## what a program needs that links the static library
	$(suite) static-libs tests/c/native-static-libs

test-python: wheel ## the Python package
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/python $(suite) python bindings/python/run-tests

test-node: addon ## the Node package
	@mkdir -p $(reports)
	PLANETKEY_VECTORS_REPORT=$(reports)/node $(suite) node bindings/node/run-tests

# After test-rust, test-c, test-python and test-node: each has written which cases it ran.
test-vectors: ## that every language ran the shared cases, after they have run
	tests/vectors/compare $(addprefix $(reports)/,rust c python node)

test-processes: bindings ## threads and processes of all languages meet the same expiry
	$(suite) processes tests/processes/run

# What needs root is skipped for other users.
test-host: bindings ## files on a machine with other users: links, devices, modes, mounts
	@tests/need $(host_packages)
	$(suite) host tests/host/run

test-peers: bindings ## the same files with Planet's own SDK, and the HTTP clients that have an adapter
	$(suite) peers tests/peers/run

test-browser: bindings ## logins in a real browser
	@tests/need $(browser_packages)
	$(suite) browser tests/browser/run

test-servers: bindings ## real authorization servers on loopback
	$(suite) servers tests/servers/run

# Not run where GDAL is missing, unless PLANETKEY_DEMAND_ALL=1.
test-gdal: bindings ## GDAL in C, C++ and Python reads with tokens that change meanwhile
	@if ! pkg-config --exists gdal && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then tests/need $(gdal_packages) || true; fi
	$(suite) gdal tests/gdal/run

test-fuzz: sanitized ## every parser for seconds
	$(suite) fuzz tests/fuzz/run 5

fuzz: ## every parser for minutes
	tests/fuzz/run $(or $(SECONDS),180)

test-install: build ## programs against the installed library
	$(suite) install tests/install/run

test-asan: sanitized ## the extern functions under AddressSanitizer
	$(suite) asan tests/fuzz/cargo test --release --locked -p planetkey-ffi --test main extern_

test-readme: bindings ## the examples of README.md
	$(suite) readme tests/demo/readme-examples

test-docs: bindings ## the code blocks of the manual, run as a reader would
	$(suite) docs-test tests/docs/run

docs: build ## builds the manual into build/docs/html; warnings are errors
	@tests/need $(docs_packages)
	$(suite) docs docs/site/build

bench: bindings ## benchmark tables, beside the peers
	PLANETKEY_SIMULATOR_BINARY=$(simulator) tests/bench/run

install: prerequisites ## installs library, headers, pkg-config and CMake files, and the command, below PREFIX
	ffi/install "$(PREFIX)"

dist: prerequisites ## makes the wheel and the npm tarball in build/dist
	bindings/python/dist
	mkdir -p build/dist
	cd bindings/node && npm pack --pack-destination ../../build/dist

clean: ## removes everything that was built
	$(CARGO) clean
	rm -rf build
